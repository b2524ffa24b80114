"""Which folder of `src/epiqa` may import which: the table of docs/architecture.md, held against the imports."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from paths import ROOT

SOURCE = ROOT / "src" / "epiqa"
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
ANYONE = {"types", "errors"}  # may be imported from everywhere above them


def room(module: str) -> str:
    """Returns the room of a module: its folder, or itself where it lies in none; the store has two."""
    parts = module.split(".")[1:]
    if parts[:2] == ["store", "embedded"] or module.startswith("epiqa.store.opening"):
        return "store/embedded"
    return parts[0] if parts else "epiqa"


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "epiqa":
            found |= {f"epiqa.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("epiqa."):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("epiqa.")}
    return {module for module in found if module != "epiqa.__version__"}


def test_the_rooms_import_only_what_the_table_says() -> None:
    rows = re.findall(r"^\| (\d+) \| `([\w/]+)` \| (.*?) \|", PAGE, re.MULTILINE)
    floors = {name: int(floor) for floor, name, _ in rows}
    allowed = {name: set(re.findall(r"`([\w/]+)`", given)) for _, name, given in rows}
    met: dict[str, set[str]] = {name: set() for name in allowed}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        own = room(".".join(["epiqa", *(part for part in parts if part != "__init__")]))
        if own in {"epiqa", "__main__", "offline", *ANYONE}:  # what is given out, what comes first, and the values
            continue
        assert own in allowed, f"{own} is not in the table of docs/architecture.md"
        met[own] |= {room(module) for module in imports_of(path)} - {own, "offline"} - ANYONE
    assert met == allowed
    for name, others in allowed.items():
        assert all(floors[other] < floors[name] for other in others), f"{name} imports from its own floor or above"


def test_the_picture_shows_every_room() -> None:
    picture = (ROOT / "docs" / "architecture.svg").read_text("utf-8")
    rooms = set(re.findall(r"^\| \d+ \| `([\w/]+)`", PAGE, re.MULTILINE))
    assert {name for name in rooms if f">{name}<" not in picture} == set()
