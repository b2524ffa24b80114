"""Which way of searching finds most, and which way of cutting documents, on three corpora.

    python benchmarks/retrieval.py seeds
    python benchmarks/retrieval.py squad --data FOLDER      # of reader/: train.json.gz and squad2-dev.json.gz
    python benchmarks/retrieval.py medquad --data FOLDER    # in BEIR's form
    python benchmarks/retrieval.py doc2dial --data FOLDER   # of office/: doc2dial-train and -dev
    python benchmarks/retrieval.py doc2dial-long --data FOLDER
    python benchmarks/retrieval.py … --cuts                 # other chunks, too: an index for each

Figures, for each way: the share of questions for which one of the first 1, 5, 20 passages holds the answer (seeds,
SQuAD: the questions of the dev articles, against them and all training articles) or the share of the relevant
documents found (MedQuAD). The reader's reranking is taken on some of the questions only, and beside it the same
search without, on the same ones.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import lost_searches
import record
from epiqa.arguments import MAX_QUESTION_CHARACTERS
from epiqa.assistant import EpiQA
from epiqa.evaluation import metrics
from epiqa.evaluation.questions import QuestionSet, RetrievalSet, read_questions, squad_questions
from epiqa.evaluation.run import holds_answer
from epiqa.ingest import make_document, normalise
from epiqa.store.opening import open_reader
from epiqa.sync.operations import add_documents, add_paths
from epiqa.sync.options import UpdateOptions
from epiqa.types import DEFAULT_CHUNKING, Chunking, Document, Passage

CUTOFFS = (1, 5, 20)
ROOT = Path(__file__).parent.parent
RERANKED_QUESTIONS = 200
LONG_WORDS = 30

SEARCHES: dict[str, dict[str, Any]] = {
    "lexical (BM25), the question's words alone": {"method": "lexical", "rewrite": False},
    "lexical": {"method": "lexical"},
    "dense": {"method": "dense"},
    "fused by reciprocal ranks": {"method": "rrf"},
    "fused by scores": {"method": "fused"},
    "fused by scores, the question's words alone": {"method": "fused", "rewrite": False},
}
LOST: dict[str, lost_searches.Lost] = {
    "lexical, RM3": "lexical, RM3",
    "fused by normalised scores": "normalised",
    "fused by scores, RM3": "fused, RM3",
}
RERANKED: dict[str, dict[str, Any]] = {
    "fused by scores": {"method": "fused"},
    "fused by scores, reranked by the reader": {"method": "fused", "rerank": True},
}
CUTS = {
    "60 to 90 words": Chunking(60, 90),
    "240 to 360 words": Chunking(240, 360),
    "without the title": Chunking(with_title=False),
}

# Tells of each passage whether it holds what was asked for.
Hits = Callable[[Sequence[Passage]], list[float]]
Search = Callable[[str], list[Passage]]


@dataclass(frozen=True)
class Corpus:
    """Documents, or files; the questions, each with what takes its recalls at the cutoffs of a ranking."""

    documents: tuple[Document, ...]
    files: tuple[Path, ...]
    questions: list[tuple[str, Hits]]


def answers_found(questions: QuestionSet) -> list[tuple[str, Hits]]:
    """Returns the questions whose answer's place is known: found is a passage that holds it."""

    def hits_of(question: Any) -> Hits:
        def hits(passages: Sequence[Passage]) -> list[float]:
            found = [holds_answer(passage, question) for passage in passages]
            return [float(any(found[:k])) for k in CUTOFFS]

        return hits

    placed = [q for q in questions.questions if q.is_answerable and q.document]
    return [(question.question, hits_of(question)) for question in placed]


def documents_found(questions: RetrievalSet) -> list[tuple[str, Hits]]:
    """Returns the queries: found is the share of the relevant documents."""

    def hits_of(relevant: set[str]) -> Hits:
        def hits(passages: Sequence[Passage]) -> list[float]:
            ranking = list(dict.fromkeys(passage.path for passage in passages))
            return [metrics.recall(ranking, relevant, k) for k in CUTOFFS]

        return hits

    return [(text, hits_of(set(questions.qrels[query]))) for query, text in questions.queries.items()]


def read_corpus(name: str, data: Path | None) -> Corpus:
    """Returns a corpus by its name on the command line."""
    if name == "seeds":
        questions = read_questions(ROOT / "tests" / "data" / "seeds_questions.jsonl")
        assert isinstance(questions, QuestionSet)
        return Corpus((), (ROOT / "seeds",), answers_found(questions))
    if data is None:
        raise SystemExit(f"{name} needs --data FOLDER")
    if name == "medquad":
        queries = read_questions(data)
        assert isinstance(queries, RetrievalSet)
        return Corpus(queries.documents, (), documents_found(queries))
    if name.startswith("doc2dial"):
        return read_doc2dial(data, is_long=name.endswith("long"))
    training = json.loads(gzip.decompress((data / "train.json.gz").read_bytes()))
    training["data"] = [a for a in training["data"] if a["source"] in ("squad1.1", "squadv2.0")]
    dev = read_questions(data / "squad2-dev.json.gz")
    assert isinstance(dev, QuestionSet)
    others = squad_questions(training, Path("train.json")).documents
    return Corpus((*dev.documents, *others), (), answers_found(dev))


def read_doc2dial(data: Path, *, is_long: bool) -> Corpus:
    """Returns the offices' pages of both parts with the dev part's questions: found is a passage of the answer.

    They are those that stand alone; or long ones, of 30 words or more: a question behind the three turns before it.
    """
    documents: list[Document] = []
    questions: list[tuple[str, Hits]] = []
    for part in ("train", "dev"):
        articles = json.loads(gzip.decompress((data / f"doc2dial-{part}.json.gz").read_bytes()))["data"]
        for article, paragraph in ((a, p) for a in articles for p in a["paragraphs"]):
            path = f"{part}-{len(documents)}.txt"
            text, title = normalise(paragraph["context"]), normalise(article["title"])
            documents.append(make_document(text, path=path, location=f"/{path}", title=title))
            for qa in paragraph["qas"] if part == "dev" else ():
                turns = [turn if isinstance(turn, str) else turn["text"] for turn in qa["history"][:3]]
                question = " ".join([*reversed(turns), qa["question"]])[:MAX_QUESTION_CHARACTERS]
                if qa["answers"] and (len(question.split()) >= LONG_WORDS if is_long else qa["stands_alone"]):
                    gold = qa["answers"][0]
                    span = (path, gold["answer_start"], gold["answer_start"] + len(gold["text"]))
                    questions.append((question if is_long else qa["question"], overlapping(*span)))
    return Corpus(tuple(documents), (), questions)


def overlapping(path: str, start: int, end: int) -> Hits:
    """Returns what takes the recalls of passages that overlap a place."""

    def hits(passages: Sequence[Passage]) -> list[float]:
        found = [p.path == path and p.start < end and p.end > start for p in passages]
        return [float(any(found[:k])) for k in CUTOFFS]

    return hits


def index(corpus: Corpus, directory: Path, chunking: Chunking) -> EpiQA:
    """Opens the corpus's index, cut that way; makes it where there is none."""
    if not (directory / "CURRENT").exists():
        shutil.rmtree(directory, ignore_errors=True)
        if corpus.files:
            add_paths(corpus.files, directory, UpdateOptions(chunking=chunking))
        else:
            add_documents(corpus.documents, directory, UpdateOptions(chunking=chunking))
    return EpiQA.open(directory)


def recalls(qa: EpiQA, questions: Sequence[tuple[str, Hits]], depth: int, how: dict[str, Any]) -> dict[str, float]:
    """Returns the mean recalls of a way that EpiQA searches, in percent."""
    return recalls_of(lambda question: qa.search(question, top_k=depth, **how), questions, str(how))


def recalls_of(search: Search, questions: Sequence[tuple[str, Hits]], name: str) -> dict[str, float]:
    """Returns the mean recalls of any search, in percent."""
    rows = [hits(search(question)) for question, hits in questions]
    figures = {f"recall@{k}": round(100 * fmean(row[i] for row in rows), 1) for i, k in enumerate(CUTOFFS)}
    print(name, figures, flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("corpus", choices=["seeds", "squad", "medquad", "doc2dial", "doc2dial-long"])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--cuts", action="store_true", help="other chunks, too")
    parser.add_argument("--work", type=Path, default=Path("build/retrieval"), help="for the indexes")
    arguments = parser.parse_args()
    corpus = read_corpus(arguments.corpus, arguments.data)
    # Of documents, 20 different ones are wanted, which takes more passages.
    depth = 100 if arguments.corpus == "medquad" else max(CUTOFFS)
    work = arguments.work / arguments.corpus
    qa = index(corpus, work / "default", DEFAULT_CHUNKING)
    figures: dict[str, Any] = {
        "index": {"documents": qa.info.documents, "chunks": qa.info.chunks, "questions": len(corpus.questions)},
        "searches": {name: recalls(qa, corpus.questions, depth, how) for name, how in SEARCHES.items()},
    }
    reader = open_reader(work / "default")
    for name, way in LOST.items():
        search = partial(lost_searches.search, index=reader, embedder=qa.embedder, top_k=depth, way=way)
        figures["searches"][name] = recalls_of(search, corpus.questions, name)
    some = random.Random(4).sample(corpus.questions, min(RERANKED_QUESTIONS, len(corpus.questions)))
    figures["reranked"] = {"questions": len(some)} | {
        name: recalls(qa, some, depth, how) for name, how in RERANKED.items()
    }
    if arguments.cuts:
        figures["cuts"] = {}
        for name, chunking in CUTS.items():
            other = index(corpus, work / name.replace(" ", "-"), chunking)
            figures["cuts"][name] = {"chunks": other.info.chunks} | {
                method: recalls(other, corpus.questions, depth, {"method": method})
                for method in ("lexical", "dense", "fused")
            }
    record.write(f"retrieval, {arguments.corpus}", figures)


if __name__ == "__main__":
    main()
