"""DOCX (ISO/IEC 29500): paragraphs, lists and tables in their order; footnotes come last; headings are sections.

What a tracked change deleted, comments, page headers and footers are not read.
"""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from epiqa.ingest.package import Package, stated
from epiqa.ingest.parsed import Builder, Parsed

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"  # says the same once more
_PASSED_OVER = {_FALLBACK, *(_W + tag for tag in ("del", "moveFrom", "pPr", "rPr", "instrText", "delText"))}
_SIGNS = {_W + "tab": "\t", _W + "br": "\n", _W + "cr": "\n", _W + "noBreakHyphen": "-", _W + "p": "\n"}
_BLOCKS = (_W + "p", _W + "tbl")


def parse(data: bytes, name: str) -> Parsed:
    """Reads a file."""
    package = Package(data, name)
    root = package.required("word/document.xml")
    headings, titles = _styles(package)
    builder, title = Builder(), None
    for block in _blocks(root):
        if block.tag == _W + "tbl":
            _add_table(builder, block)
            continue
        text, style = _text(block), _value(block, "pPr/pStyle")
        if style in titles:
            title = title or text
        if text.strip() and (style in headings or block.find(f"{_W}pPr/{_W}outlineLvl") is not None):
            builder.section(text)
            title = title or text
        is_item = style not in headings and block.find(f"{_W}pPr/{_W}numPr") is not None
        builder.add(f"- {text}" if is_item and text.strip() else text, gap="\n" if is_item else "\n\n")
    notes = package.xml("word/footnotes.xml")
    builder.section("footnotes")
    for note in () if notes is None else notes.iter(_W + "footnote"):
        if note.get(_W + "type") is None:
            builder.add(" ".join(map(_text, note.iter(_W + "p"))))
    core = package.xml("docProps/core.xml")
    return builder.build(title=stated(core, "title") or title, language=stated(core, "language"))


def _styles(package: Package) -> tuple[set[str], set[str]]:
    """Returns the ids of the styles of headings, which a translated program names in its own way, and of titles."""
    headings, titles = set[str](), set[str]()
    root = package.xml("word/styles.xml")
    for style in () if root is None else root.iter(_W + "style"):
        name, id_ = _value(style, "name").lower(), style.get(_W + "styleId", "")
        if name == "title":
            titles.add(id_)
        elif name.startswith("heading") or style.find(f"{_W}pPr/{_W}outlineLvl") is not None:
            headings.add(id_)
    return headings, titles


def _value(element: etree._Element, path: str) -> str:
    found = element.find("/".join(_W + step for step in path.split("/")))
    return "" if found is None else str(found.get(_W + "val", ""))


def _blocks(container: etree._Element) -> Iterator[etree._Element]:
    """Yields paragraphs and tables, those inside of controls and tracked insertions, too."""
    for child in container.iterchildren(etree.Element):
        if child.tag in _BLOCKS:
            yield child
        elif child.tag not in _PASSED_OVER:
            yield from _blocks(child)


def _add_table(builder: Builder, table: etree._Element) -> None:
    gap = "\n\n"
    for row in table.iterchildren(_W + "tr"):
        cells = [" ".join(_text(cell).split()) for cell in row.iterchildren(_W + "tc", _W + "sdt")]
        if any(cells):
            builder.add(f"| {' | '.join(cells)} |", gap=gap)
            gap = "\n"


def _text(element: etree._Element) -> str:
    """Returns the text below an element, a line break between its paragraphs."""
    parts: list[str] = []
    for child in element.iterchildren(etree.Element):
        if child.tag == _W + "t":
            parts.append(child.text or "")
        elif child.tag not in _PASSED_OVER:
            parts += [_SIGNS.get(child.tag, ""), _text(child)]
    return "".join(parts)
