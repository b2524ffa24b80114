"""Every shortcut gives the answers of the plain path: on the seeds, and on 200 questions about MedQuAD's pages.

Plain is: each file hashed before it is opened, models opened one after the other, all passages read in one padded
batch, vectors compared one by one, and a filter applied to what a search of everything returns. Of MedQuAD, the
pages are indexed that answer the questions.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from tokenizers import Encoding

from epiqa import graphs
from epiqa.answer import answer
from epiqa.embed import OnnxEmbedder
from epiqa.evaluation.questions import RetrievalSet, read_questions
from epiqa.filters import Filter
from epiqa.index import generation, vectors
from epiqa.ingest import read_document
from epiqa.models import read_bundled
from epiqa.pipeline import TOP_K, EpiQA, add_documents
from epiqa.read import LARGE, SMALL, Logits, SecondLook, WindowReader
from epiqa.retrieve import Method
from epiqa.types import Answer, Document, Passage, Vectors

ROOT = Path(__file__).parent.parent
MEDQUAD = ROOT.parent / "shared" / "data" / "medquad"
QUESTIONS = 200
SEED = 7
# Of the answers: int8 arithmetic rounds what stands in a batch differently from what stands alone.
SAME = 0.98
INPUTS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}


class Remembering:
    """The bundled embedder; what it has embedded once, it need not embed for a second index."""

    def __init__(self) -> None:
        self._embedder = OnnxEmbedder()
        self.name, self.dimensions = self._embedder.name, self._embedder.dimensions
        self.fingerprint = self._embedder.fingerprint
        self._known: dict[str, Vectors] = {}

    def encode(self, texts: Sequence[str]) -> Vectors:
        if new := [text for text in dict.fromkeys(texts) if text not in self._known]:
            self._known |= dict(zip(new, self._embedder.encode(new), strict=True))
        return np.stack([self._known[text] for text in texts])


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents, what is asked about them, where they are indexed, and the kind of index for their vectors."""

    documents: list[Document]
    questions: list[str]
    embedder: Remembering
    index: Path
    lists: str


def seeds() -> tuple[list[Document], list[str], str]:
    lines = (ROOT / "tests" / "data" / "seeds_questions.jsonl").read_text("utf-8").splitlines()
    documents = [read_document(path) for path in sorted((ROOT / "seeds").glob("*.txt"))]
    return documents, [json.loads(line)["question"] for line in lines], "IVF2,SQfp16"


def medquad() -> tuple[list[Document], list[str], str]:
    if not MEDQUAD.is_dir():
        pytest.skip("MedQuAD's pages and questions are not on this machine")
    found = read_questions(MEDQUAD)
    assert isinstance(found, RetrievalSet)
    names = random.Random(SEED).sample(sorted(found.queries), QUESTIONS)
    wanted = {page for name in names for page in found.qrels[name]}
    pages = [page for page in found.documents if page.path in wanted]
    return pages, [found.queries[name] for name in names], "IVF32,SQfp16"


@pytest.fixture(scope="module", params=[seeds, medquad])
def corpus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    documents, questions, lists = request.param()
    index, embedder = tmp_path_factory.mktemp("plain"), Remembering()
    add_documents(documents, index, embedder=embedder)
    return Corpus(documents, questions, embedder, index, lists)


class PaddedReader(WindowReader):
    """A bundled reader that reads all it is given in one batch, padded to its longest, in one session."""

    batches = 0

    def __init__(self, model: str) -> None:
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the tests may have company
        session = onnxruntime.InferenceSession(read_bundled(f"{model}/model.onnx"), options)

        def run(inputs: graphs.Inputs) -> tuple[Logits, Logits]:
            start, end = session.run(["start_logits", "end_logits"], inputs)
            return start, end

        tokenizer, self._names = graphs.bundled_tokenizer(model), [node.name for node in session.get_inputs()]
        self._plain, self._padding = run, graphs.pad_id(tokenizer)
        super().__init__(tokenizer, run, self._names, fingerprint=f"plain {model}", pad_id=self._padding)

    def _logits(self, windows: Sequence[Encoding]) -> list[tuple[Logits, Logits]]:
        width = max(map(len, windows))
        inputs = {}
        for name in self._names:
            array: NDArray[np.int64] = np.full((len(windows), width), self._padding * (name == "input_ids"))
            for row, window in zip(array, windows, strict=True):
                row[: len(window)] = getattr(window, INPUTS[name])
            inputs[name] = array
        starts, ends = self._plain(inputs)
        self.batches += 1
        lengths = map(len, windows)
        return [(start[:n], end[:n]) for start, end, n in zip(starts, ends, lengths, strict=True)]


@pytest.fixture(scope="module")
def padded() -> Iterator[SecondLook]:
    readers = [PaddedReader(model) for model in (SMALL, LARGE)]
    yield SecondLook(*readers)
    assert all(reader.batches for reader in readers)


def places(passages: Sequence[Passage]) -> list[tuple[str, int]]:
    return [(passage.document_id, passage.start) for passage in passages]


def gist(given: Answer) -> tuple[Any, ...]:
    """Returns what an answer says, and where it stands."""
    first = given.citations[0] if given.citations else None
    return given.text, first and (first.document_id, first.start, first.end), round(given.confidence, 6)


def test_a_question_in_a_warmed_process_is_answered_as_by_the_plain_path(
    corpus: Corpus, padded: SecondLook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that is on the way of a question at once: models opened in threads, text hashed late, sequences alone."""
    plain = EpiQA.open(corpus.index, embedder=corpus.embedder, reader=padded)
    monkeypatch.setattr(generation, "HASHED_AT_OPENING", 0)
    shipped = EpiQA.open(corpus.index)
    shipped.preload()
    differing = []
    for question in corpus.questions:
        one, other = shipped.ask(question), plain.ask(question)
        assert one.passages == other.passages
        if gist(one)[:2] != gist(other)[:2]:
            differing.append((question, gist(one), gist(other)))
    assert len(differing) <= (1 - SAME) * len(corpus.questions), differing


def test_models_opened_in_threads_answer_as_those_opened_one_by_one(corpus: Corpus) -> None:
    one, other = EpiQA.open(corpus.index), EpiQA.open(corpus.index)
    one.preload()
    for question in corpus.questions[:12]:
        assert gist(one.ask(question)) == gist(other.ask(question))
    for question in corpus.questions:
        assert one.search(question) == other.search(question)


def test_text_that_is_hashed_when_it_is_quoted_is_that_which_is_hashed_at_opening(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    eager = EpiQA.open(corpus.index, embedder=corpus.embedder)
    monkeypatch.setattr(generation, "HASHED_AT_OPENING", 0)
    late = EpiQA.open(corpus.index, embedder=corpus.embedder)
    for question in corpus.questions:
        assert late.search(question, top_k=TOP_K) == eager.search(question, top_k=TOP_K)
    for document in corpus.documents:
        assert late.document_text(document.id) == eager.document_text(document.id) == document.text


@pytest.mark.parametrize("method", ["dense", "lexical", "fused"])
def test_a_filter_inside_the_search_finds_what_one_applied_after_it_leaves(corpus: Corpus, method: Method) -> None:
    qa = EpiQA.open(corpus.index, embedder=corpus.embedder)
    half = tuple(document.id for document in corpus.documents[::2])
    everything = min(qa.info.chunks, 1000)
    assert everything == qa.info.chunks
    for question in corpus.questions:
        every = qa.search(question, top_k=everything, method=method)
        inside = qa.search(question, top_k=everything, method=method, within=Filter(documents=half))
        after = [passage for passage in every if passage.document_id in half]
        assert dict(zip(places(inside), inside, strict=True)) == dict(zip(places(after), after, strict=True))
        assert [passage.score for passage in inside] == [passage.score for passage in after]


def test_vectors_by_lists_give_the_answers_of_vectors_compared_one_by_one(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where both searches give the same passages, in the same order, so do the answers."""
    exact = EpiQA.open(corpus.index, embedder=corpus.embedder)
    monkeypatch.setattr(vectors, "kind_for", lambda count: corpus.lists)
    add_documents(corpus.documents, tmp_path, embedder=corpus.embedder)
    lists = EpiQA.open(tmp_path, embedder=corpus.embedder)
    assert (lists.info.vectors, exact.info.vectors) == (corpus.lists, "Flat")
    differing = []
    for question in corpus.questions:
        found = [qa.search(question, top_k=TOP_K) for qa in (lists, exact)]
        if places(found[0]) != places(found[1]):
            given = [answered(question, passages, exact) for passages in found]
            if gist(given[0])[:2] != gist(given[1])[:2]:
                differing.append((question, *map(gist, given)))
    assert len(differing) <= (1 - SAME) * len(corpus.questions), differing


def answered(question: str, passages: Sequence[Passage], qa: EpiQA) -> Answer:
    passages = [replace(passage) for passage in passages]
    return answer(question, qa.read(question, passages), passages, qa.calibration)
