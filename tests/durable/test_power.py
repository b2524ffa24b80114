"""What a power loss would leave: the log of a commit, read as a file system that forgets what was not synced."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from straced import CALLS, Call, logged, require_strace, traced
from turns import Program, commit


def forgettable(calls: list[Call], directory: Path) -> tuple[set[str], set[str]]:
    """Returns which paths a power loss could have undone: just before the last switch of CURRENT, and at the end.

    A file is undone by its content, a folder by what it lists. The lock holds nothing and does not count.
    """
    unsynced: set[str] = set()
    at_switch: set[str] = set()
    for call in calls:
        if call.result.startswith("-1"):
            continue
        names = re.findall(r'"(/[^"]*)"', call.arguments)
        opened = re.findall(r"\d+<(/[^>]*)>", call.arguments)
        if call.name == "openat" and "O_CREAT" in call.arguments:
            unsynced |= {names[0], str(Path(names[0]).parent)} if not names[0].endswith("/LOCK") else set()
        elif call.name == "mkdir":
            unsynced.add(str(Path(names[0]).parent))
        elif call.name.startswith("link"):  # the file was synced before
            unsynced.add(str(Path(names[1]).parent))
        elif call.name.startswith("rename"):
            if call.is_switch:
                at_switch = set(unsynced)
            source, target = names
            unsynced |= {target} if source in unsynced else set()
            unsynced -= {source}
            unsynced |= {str(Path(source).parent), str(Path(target).parent)}
        elif call.name in ("fsync", "fdatasync"):
            unsynced.discard(opened[0])
        elif call.name == "copy_file_range":
            unsynced.add(opened[1])
        elif call.name.startswith("unlink") and names:
            unsynced.discard(names[0])
            unsynced.add(str(Path(names[0]).parent))
        elif not call.name.startswith(("unlink", "rmdir", "openat")):
            unsynced.add(opened[0])
    around = str(directory.parent)
    return {p for p in at_switch if p.startswith(around)}, {p for p in unsynced if p.startswith(around)}


def calls_of(directory: Path, turn: int, how: str, program: Program, folder: Path) -> list[Call]:
    spec, log = folder / "spec.json", folder / "log"
    spec.write_text(json.dumps([(str(directory), turn, how, 0)]))
    assert json.loads(program("fault_points.py", spec, before=traced("openat", *CALLS, log=log))) == [[0, ""]]
    return logged(log)


@pytest.mark.parametrize("turn", [1, 3], ids=["first", "update"])
def test_a_power_loss_finds_all_on_the_disk_that_current_names(
    program: Program, memory_path: Path, turn: int
) -> None:
    require_strace()
    directory = memory_path / "some" / "where" / "index"
    for earlier in range(1, turn):
        commit(directory, earlier)
    at_switch, at_end = forgettable(calls_of(directory, turn, "", program, memory_path), directory)
    assert at_switch == {str(directory)}  # where CURRENT's next lies, which takes the place of CURRENT or does not
    assert at_end == set()


def test_without_fsync_a_power_loss_would_break_the_index(program: Program, memory_path: Path) -> None:
    require_strace()
    directory = memory_path / "index"
    at_switch, at_end = forgettable(calls_of(directory, 1, "no-fsync", program, memory_path), directory)
    (generation,) = (directory / "generations").iterdir()
    wanted = {directory, directory / "CURRENT", generation.parent, generation, *generation.iterdir()}
    assert {str(path) for path in wanted} <= at_end
    assert {str(path) for path in wanted} - {str(directory / "CURRENT")} <= at_switch
