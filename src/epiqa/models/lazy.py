"""Costly values, such as models: made once, when first needed or ahead of time in a thread."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread
from typing import Generic, TypeVar

T = TypeVar("T")

THREAD = "epiqa-lazy"  # the name of the threads that make a value ahead of time


class Lazy(Generic[T]):
    """A value that is made once, when first asked for, however many threads ask."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: list[T] = []
        self._lock = Lock()

    def get(self) -> T:
        """Returns the value; raises what making it raises."""
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]

    def begin(self) -> None:
        """Begins to make the value in a thread. An error there is left to `get`, which tries again."""

        def make() -> None:
            with suppress(Exception):
                self.get()

        Thread(target=make, name=THREAD).start()  # no daemon: Python must not end while ONNX Runtime opens a graph
