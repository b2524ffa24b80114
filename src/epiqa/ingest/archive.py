"""ZIP: each file inside is a document, or several, "old.zip/reports/a.pdf". Nothing is written to disk.

A name inside leads nowhere: it is shown without "..", and only identifies the file. An archive in an archive is
not read, and hidden files are passed over, as in a folder.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import replace

from epiqa.errors import IngestError
from epiqa.ingest.find import printable
from epiqa.ingest.formats import format_of, not_read, parts_of
from epiqa.ingest.package import Package
from epiqa.ingest.parsed import Parsed, Unreadable

_UTF_8_NAME = 0x800


def parse(data: bytes, name: str) -> Iterator[Parsed | Unreadable]:
    """Yields the documents of an archive, files in the order of their names."""
    package = Package(data, name)
    seen: set[str] = set()
    for inner, info in sorted(((_name(info), info) for info in package.files), key=lambda pair: pair[0]):
        if any(step.startswith((".", "__MACOSX")) for step in inner.split("/")):
            continue
        try:
            if inner in seen:
                raise IngestError(inner, "has the name of another file in the archive")
            seen.add(inner)
            format_ = format_of(inner)
            if format_ is None:
                raise IngestError(inner, not_read(inner))
            if format_.module == "archive":
                raise IngestError(inner, "is an archive in an archive: unpack it first")
            for part in parts_of(package.read(info), inner):
                yield replace(part, member=f"/{inner}{part.member}")
        except IngestError as error:
            yield Unreadable(f"/{inner}", error.reason)


def _name(info: zipfile.ZipInfo) -> str:
    """Returns a file's path inside; old programs on Chinese Windows write it in GB18030 without saying so."""
    name = info.filename
    if not info.flag_bits & _UTF_8_NAME:
        for encoding in ("utf-8", "gb18030"):
            try:
                name = name.encode("cp437").decode(encoding)
                break
            except UnicodeError:
                continue
    steps = [step for step in name.replace("\\", "/").split("/") if step not in ("", ".", "..")]
    return printable("/".join(steps)) or "no name"
