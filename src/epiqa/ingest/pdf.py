"""PDF: the text of each page, as pdfium finds it. A page without text, as of a scan, is reported."""

from __future__ import annotations

import re
from dataclasses import replace

import pypdfium2

from epiqa.errors import IngestError
from epiqa.ingest.dates import find_date
from epiqa.ingest.parsed import Builder, Parsed
from epiqa.ingest.recognition import RecognitionError, is_asked_for, recognise

# pdfium's sign for a hyphen at the end of a line; the word goes on in the next.
_HYPHEN = re.compile("[\ufffe\x02]\r?\n")
# A bullet, in a font of its own.
_BULLET = re.compile("^[\ue000-\uf8ff•▪◦][ \t]+", re.MULTILINE)
# What programs put where a title should be: a file's name.
_NO_TITLE = re.compile(
    r"(?i)untitled|microsoft (word|powerpoint)|.*\.(docx?|pptx?|xlsx?|odt|html?|txt|indd|tex|dvi)$"
)


def parse(data: bytes, name: str) -> Parsed:
    """Reads a file. Raises IngestError when it is broken or encrypted, or has no text on any page."""
    try:
        pdf = pypdfium2.PdfDocument(data)
        pages = [_page(pdf, number) for number in range(len(pdf))]
        seen, failure = _recognised(pdf, _without(pages)) if is_asked_for() else ({}, "")
        title = str(pdf.get_metadata_value("Title")).strip()
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise IngestError(name, "is encrypted: unlock it first") from error
        raise IngestError(name, f"is broken, or no PDF ({error})") from error
    builder = Builder()
    pages = [seen.get(number, text) for number, text in enumerate(pages, start=1)]
    for text in pages:
        builder.page()
        builder.add(_BULLET.sub("- ", _HYPHEN.sub("", text)), gap="\n")
    without = _without(pages)
    if len(without) == len(pages):
        raise IngestError(
            name,
            f"has no text on any page ({_pages(without)}){_why(failure, ': it may be a scan')}",
        )
    notes = [f"{_pages(list(seen))} read by text recognition, which errs: quotes are of what it saw"] * bool(seen)
    notes += [f"no text on {_pages(without)} of {len(pages)}{_why(failure, ', which may be scans')}"] * bool(
        without
    )
    parsed = builder.build(title=None if _NO_TITLE.match(title) else title, note="; ".join(notes) or None)
    # A PDF knows no paragraphs: the date may open the first line, or the one after a title.
    return replace(parsed, date=find_date("\n\n".join(parsed.text.split("\n", 2)[:2])) or find_date(parsed.text))


def _page(pdf: pypdfium2.PdfDocument, number: int) -> str:
    """Returns the text of a page; a page that cannot be read has none."""
    try:
        page = pdf[number]
        return str(page.get_textpage().get_text_bounded())
    except pypdfium2.PdfiumError:
        return ""


def _recognised(pdf: pypdfium2.PdfDocument, numbers: list[int]) -> tuple[dict[int, str], str]:
    """Returns the text that is seen on these pages, by page, and why it was not on the last that failed."""
    seen, failure = dict[int, str](), ""
    for number in numbers:
        try:
            text = recognise(pdf[number - 1])
        except (pypdfium2.PdfiumError, RecognitionError) as error:
            failure = str(error)
            continue
        if text.strip():
            seen[number] = text
    return seen, failure


def _why(failure: str, guess: str) -> str:
    """Returns the note on pages without text."""
    if failure:
        return f", and text recognition failed ({failure})"
    return ", and text recognition sees none" if is_asked_for() else f"{guess} (epiqa index --ocr reads those)"


def _without(pages: list[str]) -> list[int]:
    """Returns the numbers of the pages without text."""
    return [number for number, text in enumerate(pages, start=1) if not text.strip()]


def _pages(numbers: list[int]) -> str:
    """Returns "page 3", "pages 3, 5 to 7"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    listed = ", ".join(" to ".join(map(str, run)) for run in runs)
    return f"page{'s' if len(numbers) > 1 else ''} {listed}"
