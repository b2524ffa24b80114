"""The changes that a run made to an index, per file."""

from __future__ import annotations

from collections import defaultdict

from epiqa.types import IndexInfo, IndexReport


class ReportBuilder:
    """Which document each location held before the run, and which it holds now."""

    def __init__(self) -> None:
        self.skipped: list[tuple[str, str]] = []
        self.notes: list[tuple[str, str]] = []
        self.left = 0
        self._unchanged: list[str] = []
        # By location: the path, and the ids of the documents before and after; None where there is none.
        self._places: dict[str, tuple[str, str | None, str | None]] = {}
        self._paths_before: dict[str, str] = {}
        self._new: set[str] = set()

    def keep(self, path: str) -> None:
        """Notes that a path is unchanged."""
        self._unchanged.append(path)

    def change(
        self, location: str, path: str, before: str | None, after: str | None, *, is_new: bool = False
    ) -> None:
        """Notes that a location holds another document, or none; a new one may have the id of the last."""
        if location in self._places:
            before = self._places[location][1]
        else:
            self._paths_before[location] = path
        self._places[location] = (path, before, after)
        if is_new:
            self._new.add(location)

    @property
    def is_empty(self) -> bool:
        """Whether no readable file was met."""
        return not (self._places or self._unchanged)

    def copies(self) -> list[tuple[str, str]]:
        """Returns path and document id of each new location; a document may have others."""
        places, moved = self._changed(), self._moves()
        return [
            (path, after)
            for location, (path, _, after) in places.items()
            if after is not None and location not in moved
        ]

    def _changed(self) -> dict[str, tuple[str, str | None, str | None]]:
        return {place: row for place, row in self._places.items() if row[1] != row[2] or place in self._new}

    def _moves(self) -> dict[str, str]:
        """Returns for each location that a document moved to the one that it left."""
        left: dict[str, list[str]] = defaultdict(list)
        places = self._changed()
        for location, (_, before, after) in places.items():
            if before is not None and before != after:
                left[before].append(location)
        return {
            location: left[after].pop(0)
            for location, (_, _, after) in places.items()
            if after is not None and left[after]
        }

    def build(self, index: IndexInfo | None) -> IndexReport:
        """Returns the report; `index` is what the index holds now.

        A document that left one location and came to another has moved. A location whose old document is nowhere
        now was replaced if it holds another, else removed.
        """
        places, moved = self._changed(), self._moves()
        emptied = set(places) - set(moved.values())  # what was there before, if anything, did not move elsewhere
        added, replaced, removed = list[str](), list[str](), list[str]()
        for location, (path, before, after) in places.items():
            if before is not None and location in emptied:
                (removed if after is None else replaced).append(path)
            elif after is not None and location not in moved:
                added.append(path)
        return IndexReport(
            added=tuple(added),
            unchanged=(
                *self._unchanged,
                *(row[0] for location, row in self._places.items() if location not in places),
            ),
            replaced=tuple(replaced),
            moved=tuple((self._paths_before[source], places[to][0]) for to, source in moved.items()),
            removed=tuple(removed),
            skipped=tuple(self.skipped),
            notes=tuple(self.notes),
            left=self.left,
            index=index,
        )
