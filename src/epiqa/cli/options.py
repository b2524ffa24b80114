"""The options that several commands share."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class SearchMethod(str, Enum):
    """`retrieve.Method` for the shell."""

    fused = "fused"
    rrf = "rrf"
    dense = "dense"
    lexical = "lexical"


IndexOption = Annotated[Path, typer.Option("--index", metavar="DIR", help="The index directory.")]
# Of a command below `documents`, which takes the option, too.
OwnIndexOption = Annotated[Path | None, typer.Option("--index", metavar="DIR", help="The index directory.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
TopK = Annotated[int, typer.Option("--top-k", metavar="N", min=1, max=1000, help="How many passages.")]
ReaderOption = Annotated[
    str | None,
    typer.Option("--reader", metavar="DIR", help="A question-answering model instead of the bundled one."),
]
MinConfidence = Annotated[
    float | None,
    typer.Option(
        "--min-confidence",
        metavar="P",
        min=0.0,
        max=1.0,
        help="Hold back answers less sure than this, from 0 to 1.",
    ),
]
DEFAULT_INDEX = Path("index")

Documents = Annotated[
    list[str] | None,
    typer.Option("--document", metavar="NAME", help="Only this document: id, path or file name; repeatable."),
]
Paths = Annotated[
    list[str] | None,
    typer.Option("--path", metavar="PATTERN", help="Only documents with such a path, as reports/*.md; repeatable."),
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="DAY", help="Only from this day on: 2022-02-03, 2022-02, 2022, or 02-03."),
]
Until = Annotated[str | None, typer.Option("--until", metavar="DAY", help="Only up to this day.")]
MethodOption = Annotated[
    SearchMethod, typer.Option("--method", help="How passages are searched for: by words, by meaning, or both.")
]
Rewrite = Annotated[
    bool,
    typer.Option(
        "--rewrite/--no-rewrite",
        help="Search other ways to write dates, numbers and names; correct misspelt words.",
    ),
]
