"""ODT (OASIS OpenDocument): paragraphs, lists and tables in their order; notes come last; headings are sections.

What a tracked change deleted, comments, page headers and footers are not read.
"""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from epiqa.errors import IngestError
from epiqa.ingest.package import Package, stated
from epiqa.ingest.parsed import Builder, Parsed

_NS = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
_TEXT, _TABLE, _OFFICE = _NS % "text", _NS % "table", _NS % "office"
_H, _P, _ROW = _TEXT + "h", _TEXT + "p", _TABLE + "table-row"
_NOTE = _TEXT + "note"
_PASSED_OVER = {
    _TEXT + "tracked-changes",
    _TEXT + "sequence-decls",
    _OFFICE + "annotation",
    _OFFICE + "forms",
    _NOTE,
}
_SIGNS = {_TEXT + "tab": "\t", _TEXT + "line-break": "\n", _H: "\n", _P: "\n"}
_MAX_SPACES = 1000


def parse(data: bytes, name: str) -> Parsed:
    """Reads a file."""
    package = Package(data, name)
    manifest = package.xml("META-INF/manifest.xml")
    if manifest is not None and next(manifest.iter("{*}encryption-data"), None) is not None:
        raise IngestError(name, "is encrypted: unlock it first")
    root = package.required("content.xml")
    builder, title = Builder(), None
    last: object = None
    for block, parent in _blocks(root):
        is_item = parent.tag == _TEXT + "list-item"
        if block.tag == _ROW:
            cells = [" ".join(_text(cell).split()) for cell in block.iterchildren(_TABLE + "table-cell")]
            if any(cells):
                table = next(block.iterancestors(_TABLE + "table"), None)
                builder.add(f"| {' | '.join(cells)} |", gap="\n" if table is last else "\n\n")
                last = table
            continue
        text = _text(block)
        if block.tag == _H and text.strip():
            builder.section(text)
            title = title or text
        elif block.get(_TEXT + "style-name") == "Title":
            title = title or text
        builder.add(f"- {text}" if is_item and text.strip() else text, gap="\n" if is_item else "\n\n")
        last = None
    builder.section("footnotes")
    for body in root.iter(_TEXT + "note-body"):
        builder.add(_text(body))
    meta = package.xml("meta.xml")
    return builder.build(title=stated(meta, "title") or title, language=stated(meta, "language"))


def _blocks(container: etree._Element) -> Iterator[tuple[etree._Element, etree._Element]]:
    """Yields headings, paragraphs and table rows, each with its parent."""
    for child in container.iterchildren(etree.Element):
        if child.tag in (_H, _P, _ROW):
            yield child, container
        elif child.tag not in _PASSED_OVER:
            yield from _blocks(child)


def _text(element: etree._Element) -> str:
    """Returns the text below an element, a line break between its paragraphs; notes are left to the end."""
    parts = [element.text or ""] if element.tag.startswith(_TEXT) else []
    for child in element.iterchildren():
        if child.tag == _TEXT + "s":
            count = child.get(_TEXT + "c", "1")
            parts.append(" " * (min(int(count), _MAX_SPACES) if count.isdecimal() else 1))
        elif isinstance(child.tag, str) and child.tag not in _PASSED_OVER:
            parts += [_SIGNS.get(child.tag, ""), _text(child)]
        if element.tag.startswith(_TEXT):
            parts.append(child.tail or "")
    return "".join(parts)
