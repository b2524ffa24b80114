"""Every shortcut gives the answers of the plain path: on the seeds, and on 200 questions about MedQuAD's pages.

Plain is: each file hashed before it is opened, models opened one after the other, all passages read, in one padded
batch where the graph allows it, vectors compared one by one, and a filter applied to what a search of everything
returns. Of MedQuAD, the pages are indexed that answer the questions.
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

from epiqa.answering.answer import answer
from epiqa.assistant import TOP_K, EpiQA
from epiqa.evaluation.questions import RetrievalSet, read_questions
from epiqa.filters import Filter
from epiqa.ingest import read_document
from epiqa.models import bundled_path, onnx_runtime
from epiqa.models.cascade import ReaderCascade
from epiqa.models.embedder import OnnxEmbedder
from epiqa.models.reader import Logits, WindowReader
from epiqa.models.reader_loading import LARGE, SMALL
from epiqa.search.query_expansion import search_terms
from epiqa.store.embedded import EmbeddedReader, generations, vector_index
from epiqa.sync.operations import add_documents
from epiqa.sync.options import UpdateOptions
from epiqa.types import Answer, Document, Vectors
from paths import ROOT

MEDQUAD = ROOT.parent / "shared" / "data" / "medquad"
QUESTIONS = 200
SEED = 7
# Of the answers: the large reader's int8 graph rounds what stands in a batch differently from what stands alone.
SAME = 0.98
# Lists are an approximation: where a passage is missed, another is read. Of 200 questions it changed five answers
# with the readers of November 2026.
SAME_BY_LISTS = 0.97
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
    add_documents(documents, index, UpdateOptions(embedder=embedder))
    return Corpus(documents, questions, embedder, index, lists)


class PlainReader(WindowReader):
    """A bundled reader in one session that takes all cores: all windows in one batch, padded to the longest.

    A graph without a mask cannot tell padding from words; it is given one window after another.
    """

    runs = 0

    def __init__(self, model: str) -> None:
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the tests may have company
        self._session = onnxruntime.InferenceSession(str(bundled_path(f"{model}/model.onnx")), options)
        self._names = [node.name for node in self._session.get_inputs()]
        tokenizer = onnx_runtime.bundled_tokenizer(model)
        self._padding = onnx_runtime.pad_id(tokenizer)
        super().__init__(tokenizer, self._read_batch, self._names, fingerprint=f"plain {model}")

    def _read_batch(self, inputs: onnx_runtime.Inputs) -> tuple[Logits, Logits]:
        self.runs += 1
        start, end = self._session.run(["start_logits", "end_logits"], inputs)
        return start, end

    def _logits(self, windows: Sequence[Encoding]) -> list[tuple[Logits, Logits]]:
        found = []
        batches = [windows] if "attention_mask" in self._names else [[window] for window in windows]
        for batch in batches:
            starts, ends = self._read_batch(self._padded(batch))
            lengths = map(len, batch)
            found += [(start[:n], end[:n]) for start, end, n in zip(starts, ends, lengths, strict=True)]
        return found

    def _padded(self, windows: Sequence[Encoding]) -> onnx_runtime.Inputs:
        inputs = {}
        for name in self._names:
            padding = self._padding if name == "input_ids" else 0
            array: NDArray[np.int64] = np.full((len(windows), max(map(len, windows))), padding)
            for row, window in zip(array, windows, strict=True):
                row[: len(window)] = getattr(window, INPUTS[name])
            inputs[name] = array
        return inputs


@pytest.fixture(scope="module")
def plain() -> Iterator[ReaderCascade]:
    small, large = PlainReader(SMALL), PlainReader(LARGE)
    yield ReaderCascade(small, large)
    assert small.runs and large.runs


@pytest.fixture(scope="module")
def answers(corpus: Corpus) -> dict[str, Answer]:
    """Returns what is answered with all shortcuts: models opened in threads, text hashed late, few passages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generations, "HASHED_AT_OPENING", 0)
        qa = EpiQA.open(corpus.index)
        qa.preload()
        return {question: qa.ask(question) for question in corpus.questions}


def gist(given: Answer) -> tuple[Any, ...]:
    """Returns what an answer says, and where it stands."""
    first = given.citations[0] if given.citations else None
    return given.text, first and (first.document_id, first.start, first.end)


def check_alike(pairs: Sequence[tuple[Answer, Answer]], same: float = SAME) -> None:
    differing = [(one.question, gist(one), gist(other)) for one, other in pairs if gist(one) != gist(other)]
    assert len(differing) <= (1 - same) * len(pairs), differing


def test_the_few_passages_that_are_read_side_by_side_give_the_answers_of_reading_all_in_one_batch(
    corpus: Corpus, answers: dict[str, Answer], plain: ReaderCascade
) -> None:
    calibration = EpiQA.open(corpus.index, embedder=corpus.embedder).calibration
    pairs = []
    for question, given in answers.items():
        spans = plain.read(question, given.passages)
        pairs.append((given, answer(question, spans, given.passages, calibration)))
    check_alike(pairs)


def test_models_opened_in_threads_answer_as_those_opened_one_by_one(
    corpus: Corpus, answers: dict[str, Answer]
) -> None:
    one_by_one = EpiQA.open(corpus.index)
    _ = one_by_one.embedder, one_by_one.reader
    for question, given in answers.items():
        assert tuple(one_by_one.search(question, top_k=TOP_K)) == given.passages
    for question in corpus.questions[:5]:
        assert replace(one_by_one.ask(question), timings_ms={}) == replace(answers[question], timings_ms={})


def test_text_that_is_hashed_when_it_is_quoted_is_that_which_is_hashed_at_opening(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    eager = EpiQA.open(corpus.index, embedder=corpus.embedder)
    monkeypatch.setattr(generations, "HASHED_AT_OPENING", 0)
    late = EpiQA.open(corpus.index, embedder=corpus.embedder)
    for question in corpus.questions:
        assert late.search(question, top_k=TOP_K) == eager.search(question, top_k=TOP_K)
    for document in corpus.documents:
        assert late.document_text(document.id) == eager.document_text(document.id) == document.text


def test_a_filter_inside_the_search_finds_what_one_applied_after_it_leaves(corpus: Corpus) -> None:
    index = EmbeddedReader.open(corpus.index)
    count = index.info.chunks
    half = {document.id for document in corpus.documents[::2]}
    within = Filter(documents=tuple(half))
    kept = {number for number, passage in index.fetch(range(count)).items() if passage.document_id in half}
    for question in corpus.questions:
        vector, terms = corpus.embedder.encode([question])[0], search_terms(question, index)
        after = [(number, score) for number, score in index.search_words(terms, count) if number in kept]
        assert index.search_words(terms, count, within) == after
        near = {number: score for number, score in index.search_vector(vector, count) if number in kept}
        assert dict(index.search_vector(vector, count, within)) == pytest.approx(near, abs=1e-5)


def test_vectors_by_lists_give_the_answers_of_vectors_compared_one_by_one(
    corpus: Corpus, answers: dict[str, Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where both searches give the same passages, in the same order, they were read already."""
    monkeypatch.setattr(vector_index, "kind_for", lambda count: corpus.lists)
    add_documents(corpus.documents, tmp_path, UpdateOptions(embedder=corpus.embedder))
    lists = EpiQA.open(tmp_path, embedder=corpus.embedder)
    assert lists.info.vectors == corpus.lists
    pairs = []
    for question, given in answers.items():
        places = [(passage.document_id, passage.start) for passage in lists.search(question, top_k=TOP_K)]
        is_known = places == [(passage.document_id, passage.start) for passage in given.passages]
        pairs.append((given if is_known else lists.ask(question), given))
    check_alike(pairs, SAME_BY_LISTS)
