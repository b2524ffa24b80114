"""CSV and TSV: one document, a line for each row, with the names of the columns where the first row has them.

The row's number, as a spreadsheet shows it, is the section.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from epiqa.errors import IngestError
from epiqa.ingest.encodings import decode
from epiqa.ingest.parsed import Builder, Parsed, normalise

_DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 20
_FIGURE = re.compile(r"[\d.,:/%+\s-]*")
_MAX_CELL = 10_000_000


def parse(data: bytes, name: str) -> Parsed:
    """Reads a table."""
    text = normalise(decode(data, name))
    csv.field_size_limit(_MAX_CELL)
    delimiter = "\t" if name.lower().endswith(".tsv") else _delimiter(text)
    builder = Builder()
    columns: Sequence[str] = ()
    try:
        rows = csv.reader((f"{line}\n" for line in text.split("\n")), delimiter=delimiter)
        for number, row in enumerate(rows, start=1):
            cells = [" ".join(cell.split()) for cell in row]
            builder.section(f"row {number}")
            builder.add(_line(cells, columns), gap="\n")
            if number == 1 and _are_names(cells):
                columns = cells
    except csv.Error as error:
        raise IngestError(name, f"cannot be read as a table ({error})") from error
    return replace(builder.build(), is_named_by_file=True)


def _line(cells: Sequence[str], columns: Sequence[str]) -> str:
    """Returns a row on a line: "| town: Dandong | beds: 120 |", or without names of columns "| Dandong | 120 |"."""
    named = [
        f"{columns[number]}: {cell}" if number < len(columns) else cell
        for number, cell in enumerate(cells)
        if cell or not columns
    ]
    return f"| {' | '.join(named)} |" if any(cells) else ""


def _are_names(cells: Sequence[str]) -> bool:
    """Returns whether the first row names the columns: all different, none a figure or a date."""
    return len(cells) > 1 and len(set(cells)) == len(cells) and not any(map(_FIGURE.fullmatch, cells))


def _delimiter(text: str) -> str:
    """Returns the delimiter that cuts the first rows into most cells, as many in each; a comma for want of one."""

    def cells(delimiter: str) -> int:
        lines = text[:100_000].split("\n")
        try:
            counts = [len(row) for row in islice(csv.reader(lines, delimiter=delimiter), _SAMPLE_ROWS) if row]
        except csv.Error:
            return 0
        return min(counts, default=0)

    return max(_DELIMITERS, key=cells)
