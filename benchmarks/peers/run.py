"""EpiQA beside its peers: the same corpus, questions and weights, each peer in an environment of its own.

    python benchmarks/peers/run.py SQUAD_FILE --embedder DIR --reader DIR [--distraction SQUAD_FILE] [--questions N]

`README.md` beside this file says what each peer does, with which settings, and what every row of the table means.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import reader
import record
from epiqa.errors import EpiQAError
from epiqa.evaluation import metrics
from epiqa.evaluation.questions import Question, QuestionSet, read_questions, squad_questions
from epiqa.types import Document
from peers.peer import RECALL_K

HERE = Path(__file__).resolve().parent
SEED = 20
FIRST_ANSWERS = 3
WINDOW_TOKENS = 512
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HAYSTACK_TELEMETRY_ENABLED": "false",
    "TOKENIZERS_PARALLELISM": "true",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A column of the table: which script, in which environment (None: this one), with which weights."""

    name: str
    module: str
    environment: str | None
    has_given_weights: bool = True


ENTRIES = (
    Entry("EpiQA, same weights", "epiqa_peer", None),
    Entry("Haystack", "haystack_peer", "haystack"),
    Entry("txtai", "txtai_peer", "txtai"),
    Entry("plain script", "plain_peer", "plain"),
    Entry("EpiQA as shipped", "epiqa_peer", None, has_given_weights=False),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: a measure, how it is written, and whether more of it is better."""

    measure: str
    label: str
    form: Callable[[float], str]
    more_is_better: bool = True


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


ROWS = (
    Row("exact_match", "EM", _percent),
    Row("f1", "F1", _percent),
    Row("has_answer_f1", "F1 if it must answer", _percent),
    Row("false_answers", "unanswerable questions answered, %", _percent, more_is_better=False),
    Row("missed_answers", "answerable questions not answered, %", _percent, more_is_better=False),
    Row("auroc", "AUROC of the score", "{:.2f}".format),
    Row("recall_place", f"recall@{RECALL_K} by place", _percent),
    Row("recall_text", f"recall@{RECALL_K} by text", _percent),
    Row("verbatim_at_offsets", "quotes verbatim at the offsets given, %", _percent),
    Row("verbatim_in_document", "quotes verbatim somewhere in the document cited, %", _percent),
    Row("documents_per_second", "documents a second, ingest", "{:.2f}".format),
    Row("p50_ms", "a question, p50, ms", "{:.0f}".format, more_is_better=False),
    Row("p95_ms", "a question, p95, ms", "{:.0f}".format, more_is_better=False),
    Row("peak_memory_mib", "peak memory, MiB", "{:.0f}".format, more_is_better=False),
    Row("first_answer_s", "from the shell to the first answer, s", "{:.1f}".format, more_is_better=False),
)


def read_squad(path: Path) -> QuestionSet:
    found = read_questions(path)
    if not isinstance(found, QuestionSet) or not found.documents:
        raise SystemExit(f"{path} is not a SQuAD file")
    return found


def distracting(path: Path) -> tuple[Document, ...]:
    """Returns a SQuAD file's articles; of the reader's training set, those of SQuAD alone."""
    data = path.read_bytes()
    content = json.loads(gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data)
    articles = [article for article in content["data"] if article.get("source", "") in ("", *reader.WIKIPEDIA)]
    return squad_questions({"data": articles}, Path("distraction")).documents


def sampled(questions: Sequence[Question], number: int | None) -> list[Question]:
    if number is None or number >= len(questions):
        return list(questions)
    return random.Random(SEED).sample(list(questions), number)


def python_of(environment: str | None, folder: Path) -> Path:
    """Returns the Python of a peer's environment, made from its pinned requirements unless it is there already."""
    if environment is None:
        return Path(sys.executable)
    requirements = HERE / f"{environment}.txt"
    home = folder / environment
    installed, python = home / "installed.txt", home / "bin" / "python"
    if installed.is_file() and installed.read_text("utf-8") == requirements.read_text("utf-8"):
        return python
    print(f"making the environment of {environment} in {home}", file=sys.stderr)
    venv.create(home, clear=True, with_pip=True)
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "-r", str(requirements)], check=True)
    shutil.copy(requirements, installed)
    return python


def completed(folder: Path, copy: Path) -> Path:
    """Returns a folder with links to a reader's files, and the length of its window where it does not say it.

    A folder as transformers saves it has a tokenizer_config.json; the readers that `training/` makes have none, and
    without the length transformers cuts nothing and the model fails on what is longer.
    """
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).symlink_to(path.resolve())
    if not (copy / "tokenizer_config.json").exists():
        (copy / "tokenizer_config.json").write_text(json.dumps({"model_max_length": WINDOW_TOKENS}))
    return copy


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()[:16]


def run_entry(entry: Entry, python: Path, work: Path, weights: Sequence[str]) -> list[dict[str, Any]]:
    """Runs one peer; returns its lines, the summary first, with the median time of a first answer in it."""
    folder = work / entry.name.replace(", ", "-").replace(" ", "-")
    folder.mkdir()
    command = [str(python), "-m", f"peers.{entry.module}"]
    for name, path in (("corpus", work), ("questions", work), ("index", folder)):
        command += [f"--{name}", str(path / name)]
    command += ["--out", str(folder / "out"), *(weights if entry.has_given_weights else ())]
    _run(command, folder / "log")
    seconds = []
    for _ in range(FIRST_ANSWERS + 1):
        begun = time.perf_counter()
        _run([*command, "--first-answer"], folder / "first-log")
        seconds.append(time.perf_counter() - begun)
    lines: list[dict[str, Any]] = [json.loads(line) for line in (folder / "out").read_text("utf-8").splitlines()]
    lines[0]["first_answer_s"] = statistics.median(seconds[1:])  # the first one warms the page cache
    return lines


def _run(command: Sequence[str], log: Path) -> None:
    with log.open("w", encoding="utf-8") as file:
        done = subprocess.run(command, cwd=HERE.parent, env=os.environ | OFFLINE, stdout=file, stderr=file)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{log.read_text('utf-8')[-4000:]}")


def measures(
    lines: Sequence[dict[str, Any]], questions: Sequence[Question], documents: Sequence[Document]
) -> dict[str, Any]:
    """Returns the measures of one peer; None is one that does not apply to it."""
    summary, replies = lines[0], list(zip(questions, lines[1:], strict=True))
    texts = {document.path: document.text for document in documents}
    answerable = [(question, reply) for question, reply in replies if question.is_answerable]
    given = [reply for _, reply in replies if reply["text"] is not None]
    refused = [reply["text"] is None for question, reply in replies if not question.is_answerable]
    gives_best = any(reply["best"] is not None for _, reply in replies)
    gives_places = any(passage["start"] is not None for _, reply in replies for passage in reply["passages"])
    forced = [metrics.best(metrics.f1_score, reply["best"], question.answers) for question, reply in replies]
    right = [
        question.is_answerable and f1 >= metrics.RIGHT_F1 for (question, _), f1 in zip(replies, forced, strict=True)
    ]
    scores = [reply["score"] or 0.0 for _, reply in replies]
    placed = [(question, reply) for question, reply in answerable if question.places]
    return {
        "exact_match": _mean(metrics.best(metrics.exact_match, r["text"], q.answers) for q, r in replies),
        "f1": _mean(metrics.best(metrics.f1_score, r["text"], q.answers) for q, r in replies),
        "has_answer_f1": _mean(
            f1 for f1, (q, _) in zip(forced, replies, strict=True) if q.is_answerable and gives_best
        ),
        "false_answers": _mean(not is_refused for is_refused in refused),
        "missed_answers": _mean(reply["text"] is None for _, reply in answerable),
        "auroc": metrics.auroc(scores, right) if gives_best else None,
        "recall_place": _mean(holds_place(q, r) for q, r in placed if gives_places),
        "recall_text": _mean(holds_text(q, r) for q, r in placed),
        "answers_given": len(given),
        "verbatim_at_offsets": _mean(is_at_offsets(reply, texts) for reply in given),
        "verbatim_in_document": _mean(reply["text"] in texts.get(reply["document"], "") for reply in given),
        "documents_per_second": len(documents) / summary["ingest_s"],
        "p50_ms": float(np.percentile([reply["latency_ms"] for _, reply in replies], 50)),
        "p95_ms": float(np.percentile([reply["latency_ms"] for _, reply in replies], 95)),
        "peak_memory_mib": summary["peak_memory_mib"],
        "first_answer_s": summary["first_answer_s"],
        "packages": summary["packages"],
    }


def holds_place(question: Question, reply: dict[str, Any]) -> bool:
    """Tells whether a passage overlaps a gold answer where it stands."""
    passages = [row for row in reply["passages"] if row["document"] == question.document]
    return any(row["start"] < end and start < row["end"] for row in passages for start, end in question.places)


def holds_text(question: Question, reply: dict[str, Any]) -> bool:
    """Tells whether a passage of the right document has the words of a gold answer, wherever they stand."""
    passages = [row["text"] for row in reply["passages"] if row["document"] == question.document]
    return any(answer in text for text in passages for answer in question.answers)


def is_at_offsets(reply: dict[str, Any], texts: dict[str, str]) -> bool:
    if reply["start"] is None or reply["document"] not in texts:
        return False
    return bool(texts[reply["document"]][reply["start"] : reply["end"]] == reply["text"])


def _mean(values: Any) -> float | None:
    collected = [float(value) for value in values]
    return float(np.mean(collected)) if collected else None


def table(figures: dict[str, dict[str, Any]]) -> str:
    """Returns the markdown table, the best of each row in bold."""
    lines = [f"| | {' | '.join(figures)} |", f"| --- |{' --- |' * len(figures)}"]
    for row in ROWS:
        values = [found[row.measure] for found in figures.values()]
        cells = ["—" if value is None else row.form(value) for value in values]
        there = [value for value in values if value is not None]
        if there:
            best = row.form(max(there) if row.more_is_better else min(there))
            cells = [f"**{cell}**" if cell == best else cell for cell in cells]
        lines.append(f"| {row.label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def where_better(figures: dict[str, dict[str, Any]]) -> str:
    """Returns, for either EpiQA and each peer, in which rows the peer is better as the table writes it."""
    lines = []
    ours = [entry.name for entry in ENTRIES if entry.environment is None and entry.name in figures]
    peers = [name for name in figures if name not in ours]
    for our in ours:
        for peer in peers:
            better = []
            for row in ROWS:
                mine, theirs = figures[our][row.measure], figures[peer][row.measure]
                if mine is None or theirs is None or row.form(mine) == row.form(theirs):
                    continue
                if (theirs > mine) == row.more_is_better:
                    better.append(f"{row.label} ({row.form(theirs)}, EpiQA {row.form(mine)})")
            lines.append(f"- {peer} is better than {our} in: {'; '.join(better) or 'nothing'}.")
    return "\n".join(lines)


def report(results: dict[str, Any]) -> str:
    machine = record.machine()
    versions = [
        f"- {name}: {', '.join(f'{package} {version}' for package, version in found['packages'].items())}."
        for name, found in results["peers"].items()
    ]
    lines = [
        f"Commit `{record.commit()}`, {machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB,"
        f" {machine['system']}, Python {machine['python']}.",
        f"{results['documents']} documents; {results['questions']} questions, {results['answerable']} of them"
        f" answerable. SHA-256 of the weights: reader `{results['weights']['reader']}…`, embedder"
        f" `{results['weights']['embedder']}…`. The best of each row is bold.",
    ]
    return "\n".join([*lines, "", table(results["peers"]), "", where_better(results["peers"]), "", *versions])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("squad", type=Path, help="SQuAD JSON, plain or gzipped: the questions, and their articles")
    parser.add_argument("--embedder", type=Path, required=True, help="a sentence-transformers folder")
    parser.add_argument("--reader", type=Path, required=True, help="a Hugging Face question-answering folder")
    parser.add_argument("--distraction", type=Path, help="another SQuAD file: its articles are indexed, too")
    parser.add_argument("--questions", type=int, help="so many, drawn with a fixed seed, instead of all")
    parser.add_argument(
        "--environments", type=Path, default=Path("build/peers"), help="where the peers' environments are, or go"
    )
    parser.add_argument("--only", nargs="+", choices=[entry.name for entry in ENTRIES], metavar="NAME")
    parser.add_argument("--no-record", action="store_true", help="for trying out: leave the results file alone")
    arguments = parser.parse_args()
    entries = [entry for entry in ENTRIES if not arguments.only or entry.name in arguments.only]
    try:
        squad = read_squad(arguments.squad)
        distraction = distracting(arguments.distraction) if arguments.distraction else ()
    except EpiQAError as error:
        raise SystemExit(str(error)) from error
    documents = (*squad.documents, *distraction)
    questions = sampled(squad.questions, arguments.questions)
    environments = arguments.environments.resolve()
    pythons = [python_of(entry.environment, environments) for entry in entries]

    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        work = Path(folder)
        rows = [{"id": d.path, "title": d.title, "text": d.text} for d in documents]
        (work / "corpus").write_text(json.dumps(rows), encoding="utf-8")
        (work / "questions").write_text(json.dumps([q.question for q in questions]), encoding="utf-8")
        qa_folder = completed(arguments.reader, work / "reader")
        weights = ["--embedder", str(arguments.embedder.resolve()), "--reader", str(qa_folder)]
        for entry, python in zip(entries, pythons, strict=True):
            begun = time.perf_counter()
            lines = run_entry(entry, python, work, weights)
            found[entry.name] = measures(lines, questions, documents)
            print(f"{entry.name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    results = {
        "documents": len(documents),
        "questions": len(questions),
        "answerable": sum(question.is_answerable for question in questions),
        "weights": {"embedder": digest(arguments.embedder), "reader": digest(arguments.reader)},
        "peers": found,
    }
    if not arguments.no_record:
        record.write("peers", results)
    print(f"\n{report(results)}")


if __name__ == "__main__":
    main()
