"""Where a benchmark's figures go: `benchmarks/results/<commit>.json`, with the machine and the versions."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("epiqa", "faiss-cpu", "onnxruntime", "tokenizers", "sentencex", "numpy")


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], capture_output=True, text=True, check=True, cwd=Path(__file__).parent
    ).stdout.strip()


def commit() -> str:
    """Returns the commit of the checkout; "-dirty" is added when anything but results and plots differs."""
    own = ("benchmarks/results/", "benchmarks/growth.svg")
    changes = [line for line in _git("status", "--porcelain").splitlines() if not any(name in line for name in own)]
    return _git("rev-parse", "--short=10", "HEAD") + ("-dirty" if changes else "")


def usable_cores() -> set[int]:
    """Returns the cores that this process may use."""
    return os.sched_getaffinity(0)


def machine() -> dict[str, Any]:
    """Returns the processor, its usable cores, the memory, and the versions that matter."""
    cpu = next(
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        if line.startswith("model name")
    )
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": cpu,
        "cores": len(usable_cores()),
        "memory_gib": round(memory_bytes / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def last(name: str) -> tuple[str, Any] | None:
    """Returns the newest commit, this one included, whose results have figures under `name`, and these."""
    recorded = {path.stem: path for path in RESULTS.glob("*.json")}
    for found in _git("log", "--format=%H").splitlines():
        path = recorded.get(found[:10])
        if path is not None and name in (results := json.loads(path.read_text("utf-8"))):
            return found[:10], results[name]
    return None


def write(name: str, figures: dict[str, Any]) -> Path:
    """Adds the figures under `name` to the results of this commit, prints them, and returns the file."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{commit()}.json"
    results = json.loads(path.read_text("utf-8")) if path.exists() else {"machine": machine()}
    results[name] = figures
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))
    return path
