"""How far a long run is: a bar on a terminal, elsewhere a line every now and then, both on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from epiqa.cli.show import err, say, visible

# Takes how much is done, of how much, and what is at hand.
Advance: TypeAlias = Callable[[int, int, str], None]

LINE_S = 10.0


@contextmanager
def progress(unit: str) -> Iterator[Advance]:
    """Yields the function that shows how many of the units ("files") are done."""
    if not err.is_terminal:
        yield _lines(unit)
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(unit),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total, what: bar.update(task, completed=done, total=total, description=visible(what))


class _RateColumn(TextColumn):
    def __init__(self, unit: str) -> None:
        super().__init__("")
        self._unit = unit

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.1f} {self._unit}/s" if task.speed else "")


def _lines(unit: str) -> Advance:
    begun = told = time.monotonic()

    def tell(done: int, total: int, what: str) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told < LINE_S or not done:
            return
        told = now
        rate = done / (now - begun)
        say(
            f"{done:,} of {total:,} {unit}, {rate:,.1f} a second, {(total - done) / rate:,.0f} s left: {what}",
            to=err,
        )

    return tell
