"""Values that are costly to make, such as models: made once, when first needed or a little before."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread
from typing import Generic, TypeVar

T = TypeVar("T")

THREAD = "epiqa-once"  # the name of those that make something beforehand


class Once(Generic[T]):
    """What is made when first asked for, and once, however many threads ask."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: list[T] = []
        self._lock = Lock()

    def get(self) -> T:
        """Returns it; raises what its making raises."""
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]

    def begin(self) -> None:
        """Begins to make it in a thread; what goes wrong there is left to `get`, which tries again."""

        def make() -> None:
            with suppress(Exception):
                self.get()

        Thread(target=make, name=THREAD).start()  # no daemon: Python must not end while ONNX Runtime opens a graph
