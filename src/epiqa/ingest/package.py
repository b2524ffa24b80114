"""ZIP files, by themselves or as DOCX and ODT: opened only if what they unpack to, summed before, is not too much.

XML out of them is parsed without entities, without a DTD, and without the network.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import cast

from lxml import etree

from epiqa.errors import IngestError

MAX_UNPACKED_BYTES = 512 << 20
MAX_FILES = 50_000
_ENCRYPTED = 0x1


class Package:
    """An open ZIP file; every error comes out as an IngestError."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:  # the last: of a later ZIP version
            raise IngestError(name, f"is broken, or no file of its kind ({error})") from error
        self.files = [info for info in self._zip.infolist() if not info.is_dir()]
        total = sum(info.file_size for info in self.files)
        if total > MAX_UNPACKED_BYTES:
            raise IngestError(name, f"unpacks to {total >> 20:,} MB, more than {MAX_UNPACKED_BYTES >> 20:,}")
        if len(self.files) > MAX_FILES:
            raise IngestError(name, f"holds {len(self.files):,} files, more than {MAX_FILES:,}")

    def read(self, info: zipfile.ZipInfo) -> bytes:
        """Returns a file's content, which is no longer than its `file_size` says."""
        if info.flag_bits & _ENCRYPTED:
            raise IngestError(self.name, "is encrypted: unlock it first")
        try:
            return self._zip.read(info)
        except (
            zipfile.BadZipFile,
            zlib.error,
            OSError,
            EOFError,
            ValueError,
            NotImplementedError,  # a compression that zipfile does not know
            RuntimeError,
        ) as error:
            raise IngestError(self.name, f"is broken ({error})") from error

    def xml(self, path: str) -> etree._Element | None:
        """Returns the root of an XML file inside, None for an unknown path."""
        try:
            data = self.read(self._zip.getinfo(path))
        except KeyError:
            return None
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
        try:
            root = etree.fromstring(data, parser)
        except etree.LxmlError as error:
            raise IngestError(self.name, f"is broken ({path}: {error})") from error
        if root.getroottree().docinfo.doctype:
            raise IngestError(self.name, f"is refused: {path} declares entities, which no such file needs")
        return cast(etree._Element, root)

    def required(self, path: str) -> etree._Element:
        """Returns the root of an XML file that a file of its kind must have."""
        root = self.xml(path)
        if root is None:
            raise IngestError(self.name, f"is no file of its kind (it has no {path})")
        return root


def stated(root: etree._Element | None, tag: str) -> str | None:
    """Returns the text of the first element of that name, as metadata has it."""
    text = None if root is None else root.findtext(f".//{{http://purl.org/dc/elements/1.1/}}{tag}")
    return str(text).strip() or None if text else None
