"""What the peers have in common: the command line, the clock, and the lines that `run.py` reads.

    python -m peers.NAME_peer --corpus FILE --questions FILE --embedder DIR --reader DIR --index DIR --out FILE
    python -m peers.NAME_peer … --first-answer

It runs in each peer's own environment, so it needs nothing but the standard library. Models are loaded before the
clock starts; ingest is from texts in memory to an index on disk.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

TOP_K = 8
RECALL_K = 20
WARM_UP = "Is this the first question?"


@dataclass(frozen=True, slots=True)
class Document:
    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """A passage, of a document; `start` and `end` are None where the peer does not say where in it."""

    document: str
    text: str
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a peer says. `text` is None for "no answer"; `best` is its best candidate, given or held back.

    `document`, `start` and `end` are the answer's place as the peer gives it, None where it gives none; `score` is
    that of the best candidate. `best` and `score` are None where the peer does not tell.
    """

    text: str | None
    document: str | None = None
    start: int | None = None
    end: int | None = None
    best: str | None = None
    score: float | None = None


class Peer(Protocol):
    """One way to answer questions about documents, its models loaded."""

    @property
    def packages(self) -> Sequence[str]:
        """The packages that it runs on, as pip names them."""

    def ingest(self, documents: Sequence[Document], index: Path) -> None:
        """Makes an index of the documents, and stores it in the folder."""

    def open(self, index: Path) -> None:
        """Opens what `ingest` stored."""

    def ask(self, question: str) -> Reply:
        """Answers from the `TOP_K` best passages."""

    def search(self, question: str) -> list[Found]:
        """Returns the `RECALL_K` best passages, best first."""


def peak_memory_mib() -> float:
    """Returns the most memory this process has held; not that of the process that started it, as getrusage may."""
    status = Path("/proc/self/status").read_text("utf-8").splitlines()
    kib = next(line.split()[1] for line in status if line.startswith("VmHWM"))
    return int(kib) / 1024


def main(load: Callable[[str | None, str | None], Peer]) -> None:
    """Runs a peer; `load` makes it from the folders of the embedder and the reader."""
    parser = argparse.ArgumentParser()
    for name in ("corpus", "questions", "index", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--embedder")
    parser.add_argument("--reader")
    parser.add_argument("--first-answer", action="store_true", help="open the index and answer the first question")
    arguments = parser.parse_args()
    questions: list[str] = json.loads(arguments.questions.read_text("utf-8"))

    peer = load(arguments.embedder, arguments.reader)
    if arguments.first_answer:
        peer.open(arguments.index)
        print(peer.ask(questions[0]).text)
        return

    documents = [Document(**row) for row in json.loads(arguments.corpus.read_text("utf-8"))]
    begun = time.perf_counter()
    peer.ingest(documents, arguments.index)
    ingest_s = time.perf_counter() - begun
    peer.ask(WARM_UP)
    replies = []
    for question in questions:
        begun = time.perf_counter()
        reply = peer.ask(question)
        replies.append((reply, (time.perf_counter() - begun) * 1000))
    peak_mib = peak_memory_mib()
    with arguments.out.open("w", encoding="utf-8") as out:
        summary = {
            "ingest_s": ingest_s,
            "peak_memory_mib": peak_mib,
            "packages": {name: importlib.metadata.version(name) for name in peer.packages},
        }
        out.write(json.dumps(summary) + "\n")
        for question, (reply, latency_ms) in zip(questions, replies, strict=True):
            passages = [asdict(found) for found in peer.search(question)]
            out.write(json.dumps(asdict(reply) | {"latency_ms": latency_ms, "passages": passages}) + "\n")


__all__ = ["RECALL_K", "TOP_K", "Document", "Found", "Peer", "Reply", "main"]
