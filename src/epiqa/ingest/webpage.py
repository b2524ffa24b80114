"""HTML: the visible text, its blocks parted by line breaks, table rows on a line each; headings are the sections.

Left out are scripts, styles, what is marked as hidden, and `<nav>`. Nothing that a page names is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from epiqa.errors import IngestError
from epiqa.ingest.dates import parse_date
from epiqa.ingest.encodings import decode
from epiqa.ingest.parsed import Builder, Parsed
from epiqa.types import DocumentDate

_UNSEEN = frozenset(
    "script style template noscript head nav svg iframe object canvas select textarea audio video".split()
)
_HEADINGS = frozenset("h1 h2 h3 h4 h5 h6".split())
_BLOCKS = _HEADINGS | frozenset(
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure"
    " footer form header hr legend li main ol p pre section summary table tbody tfoot thead title tr ul".split()
)
_CELLS = frozenset(("td", "th"))
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"""\s*<\?xml[^>]{0,100}?encoding\s*=\s*["']([\w.:-]{1,40})""")
_DATES = frozenset(
    "date dc.date dc.date.issued dcterms.date dcterms.issued article:published_time datepublished pubdate"
    " publishdate publish-date og:published_time".split()
)


def parse(data: bytes, name: str) -> Parsed:
    """Reads a page."""
    declared = _CHARSET.search(data, 0, 4096) or _XML_ENCODING.match(data)
    text = decode(data, name, declared[1].decode("ascii") if declared else None)
    parser = etree.HTMLParser(
        encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=True
    )
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except etree.LxmlError as error:
        raise IngestError(name, f"cannot be read as HTML ({error})") from error
    if any(entry.type_name == "ERR_RESOURCE_LIMIT" or "depth" in entry.message for entry in parser.error_log):
        raise IngestError(name, "cannot be read as HTML (its elements lie too deep in one another)")
    if root is None:
        raise IngestError(name, "is empty")
    blocks = _Blocks()
    for event, element in etree.iterwalk(root, events=("start", "end")):
        blocks.meet(event, element)
    blocks.close()
    title = root.findtext(".//title") or blocks.first_heading
    language = root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang")
    return blocks.builder.build(title=title, date=_date(root), language=language)


class _Blocks:
    """Gathers the text between two block elements, and table rows cell by cell."""

    def __init__(self) -> None:
        self.builder = Builder()
        self.first_heading: str | None = None
        self._text: list[str] = []
        self._gap = "\n\n"
        self._unseen = 0
        self._verbatim = 0
        self._cells: list[list[str]] = []  # of the open rows, the innermost last

    def meet(self, event: str, element: etree._Element) -> None:
        """Takes the next event of the walk through the page."""
        tag = str(element.tag).lower()
        if event == "start":
            if self._unseen or _is_hidden(element, tag):
                self._unseen += 1
                return
            self._begin(tag)
            self._take(element.text)
        else:
            if self._unseen:
                self._unseen -= 1
            else:
                self._end(tag)
            if not self._unseen:
                self._take(element.tail)

    def _begin(self, tag: str) -> None:
        self._verbatim += tag == "pre"
        if tag == "br":
            self._text.append(" " if self._cells else "\n")
        elif tag in _CELLS and self._cells:
            self._text.clear()
        elif tag == "tr":
            self._flush()
            self._cells.append([])
        elif tag in _BLOCKS:
            self._flush()
            if tag == "li":
                self._text.append("- ")
            elif not self._cells:
                self._gap = "\n\n"

    def _end(self, tag: str) -> None:
        if tag in _CELLS and self._cells:
            self._cells[-1].append(" ".join("".join(self._text).split()))
            self._text.clear()
        elif tag == "tr" and self._cells:
            row = self._cells.pop()
            if self._cells:  # a table in a cell: its row is a part of that cell
                self._text.append(f" {' '.join(row)} ")
            elif any(row):
                self.builder.add(f"| {' | '.join(row)} |", gap=self._gap)
                self._gap = "\n"
        elif tag in _BLOCKS:
            if tag in _HEADINGS:
                label = "".join(self._text)
                self.first_heading = self.first_heading or label.strip() or None
                self.builder.section(label)
            self._flush()
            if tag == "li" and not self._cells:
                self._text.clear()
            if not self._cells and tag not in ("tbody", "thead", "tfoot"):
                self._gap = "\n" if tag == "li" else "\n\n"
        self._verbatim -= tag == "pre"

    def _take(self, text: str | None) -> None:
        if text:
            self._text.append(text if self._verbatim else re.sub(r"\s+", " ", text))

    def _flush(self) -> None:
        """Adds what has gathered as a block; inside a row, a space has to do."""
        if self._cells:
            self._text.append(" ")
            return
        text = "".join(self._text)
        if text.strip() == "-":  # the mark of a list item whose text is in a block of its own
            return
        self._text.clear()
        if text.strip():
            lines = text.split("\n")
            self.builder.add(text if self._verbatim else "\n".join(map(_single_spaced, lines)), gap=self._gap)

    def close(self) -> None:
        self._cells.clear()
        self._flush()


def _single_spaced(line: str) -> str:
    return " ".join(line.split(" ")).strip() if "  " not in line else " ".join(line.split())


def _is_hidden(element: etree._Element, tag: str) -> bool:
    return tag in _UNSEEN or "hidden" in element.attrib or bool(_HIDDEN.search(element.get("style") or ""))


def _stated_dates(root: etree._Element) -> Iterator[str]:
    for meta in root.iter("meta"):
        key = meta.get("name") or meta.get("property") or meta.get("itemprop") or ""
        if key.lower() in _DATES:
            yield meta.get("content") or ""
    for time in root.iter("time"):
        if time.get("itemprop") == "datePublished" or "pubdate" in time.attrib:
            yield time.get("datetime") or ""


def _date(root: etree._Element) -> DocumentDate | None:
    return next((date for stated in _stated_dates(root) if (date := parse_date(stated))), None)
