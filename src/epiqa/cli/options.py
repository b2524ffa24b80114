"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
