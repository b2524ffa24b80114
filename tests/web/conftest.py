"""A fake assistant for the page: real documents, exact offsets, given answers; and the browser fixtures."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from epiqa.errors import EpiQAError, FilterError, QuestionError
from epiqa.filters import EVERYTHING, Filter
from epiqa.types import (
    Answer,
    Candidate,
    Citation,
    Document,
    DocumentDate,
    DocumentInfo,
    IndexInfo,
    IndexReport,
    Passage,
)
from epiqa.web import Assistant
from paths import SEEDS
from web.visits import Visit, chromium, served, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HOSTILE = (
    "<script>window.hacked=1</script><img src=http://attacker.invalid/a.png onerror=window.hacked=2>"
    "<b>bold</b> **stars** ![x](http://attacker.invalid/b.png) [l](javascript:window.hacked=3) "
    "$$x^2$$ `code` ${window.hacked=4} {{value}} &lt;kept&gt; \"quoted\" 'single' "
    "<iframe src=http://attacker.invalid></iframe><style>*{display:none}</style><details>"
)

SEED_ANSWERS: dict[str, tuple[str, Sequence[tuple[str, float]]]] = {
    "Who chaired the city headquarters meeting on February 2?": (
        "002_4240fd80c429d22d.txt",
        [("Tan Zuojun", 0.82), ("deputy commander-in-chief", 0.07)],
    ),
    "How many abnormal test results turned up in Jinpu New District?": (
        "004_5d92a0e4b413dfa2.txt",
        [("four people", 0.64)],
    ),
}


class FakeAnswerer:
    """Answers the questions it was given answers for, with quotes that it looks up in the documents.

    A passage is a paragraph; passages are ranked by how many of the question's words they hold. The
    sentence around a quote ends where a full stop and a space follow. Documents are neither added nor removed.
    """

    def __init__(
        self,
        documents: Sequence[Document],
        answers: Mapping[str, tuple[str, Sequence[tuple[str, float]]]],
        top_k: int = 5,
        directory: Path | None = None,
    ) -> None:
        self.directory = directory or Path(tempfile.mkdtemp(prefix="epiqa-fake-"))
        self._documents = list(documents)
        self._answers = answers
        self._top_k = top_k

    def preload(self) -> None:
        pass

    @property
    def info(self) -> IndexInfo:
        return IndexInfo("1", len(self._documents), len(self._passages()), "fake", 1, unread=1)

    def documents(self) -> list[DocumentInfo]:
        return [
            DocumentInfo(document.id, document.title, document.path, document.date, len(document.text), 1)
            for document in self._documents
        ]

    def unread(self) -> list[tuple[str, str]]:
        return [("scan.pdf", "its pages have no text")]

    def count_documents(self, within: Filter = EVERYTHING) -> int:
        return len(self._within(within))

    def document_text(self, document_id: str) -> str | None:
        return next((document.text for document in self._documents if document.id == document_id), None)

    def original(self, document_id: str) -> Path | None:
        found = next((Path(d.location) for d in self._documents if d.id == document_id), None)
        return found if found and len(found.name) < 100 and found.is_file() else None

    def add(
        self, paths: Iterable[str], *, on_progress: Callable[[int, int, str], None] | None = None
    ) -> IndexReport:
        raise EpiQAError(f"{', '.join(paths)}: this index cannot be changed")

    def remove(self, name: str) -> None:
        raise EpiQAError(f"{name}: this index cannot be changed")

    def search(self, query: str, *, top_k: int = 10, within: Filter = EVERYTHING) -> list[Passage]:
        words = set(query.lower().split())
        names = {document.id for document in self._within(within)}
        passages = [passage for passage in self._passages() if passage.document_id in names]
        return sorted(passages, key=lambda p: -len(words & set(p.quote.lower().split())))[:top_k]

    def ask(self, question: str, *, within: Filter = EVERYTHING) -> Answer:
        if not question.strip():
            raise QuestionError("The question is empty: type one.")
        passages = tuple(self.search(question, top_k=self._top_k, within=within))
        path, quotes = self._answers.get(question, ("", []))
        documents = [document for document in self._within(within) if document.path == path]
        if not documents:
            return Answer(question, False, None, 0.05, (), (), passages)
        (document,) = documents
        candidates = tuple(Candidate(quote, confidence, (cite(document, quote),)) for quote, confidence in quotes)
        best = candidates[0]
        return Answer(question, True, best.text, best.confidence, best.citations, candidates, passages)

    def _within(self, within: Filter) -> list[Document]:
        names = set(within.documents)
        found = [d for d in self._documents if not names or names & {d.id, d.path}]
        if not found:
            raise FilterError(f"no document meets {within}")
        return found

    def _passages(self) -> list[Passage]:
        passages = []
        for document in self._documents:
            start = 0
            for paragraph in document.text.split("\n"):
                end = start + len(paragraph)
                if paragraph:
                    passages.append(
                        Passage(
                            document_id=document.id,
                            title=document.title,
                            path=document.path,
                            date=document.date,
                            page=None,
                            start=start,
                            end=end,
                            quote=document.text[start:end],
                            score=1.0,
                        )
                    )
                start = end + 1
        return passages


def cite(document: Document, quote: str) -> Citation:
    """Cites the first place below the title where `quote` stands, inside its sentence."""
    start = document.text.index(quote, len(document.title) + 1)
    end = start + len(quote)
    paragraph_start = document.text.rfind("\n", 0, start) + 1
    paragraph_end = document.text.find("\n", end)
    paragraph_end = len(document.text) if paragraph_end < 0 else paragraph_end
    before = document.text.rfind(". ", paragraph_start, start)
    after = document.text.find(". ", end, paragraph_end)
    sentence_start = paragraph_start if before < 0 else before + 2
    sentence_end = paragraph_end if after < 0 else after + 1
    return Citation(
        document_id=document.id,
        title=document.title,
        path=document.path,
        date=document.date,
        page=None,
        start=start,
        end=end,
        quote=document.text[start:end],
        before=document.text[sentence_start:start],
        after=document.text[end:sentence_end],
    )


def read_seeds() -> list[Document]:
    dates = {
        "000_b85568a49fec7b60.txt": DocumentDate("February 3", 2, 3),
        "002_4240fd80c429d22d.txt": DocumentDate("February 2", 2, 2),
        "004_5d92a0e4b413dfa2.txt": DocumentDate("2022-05-11 13:00", 5, 11, 2022),
    }
    documents = []
    for path in sorted(SEEDS.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        title = text.partition("\n")[0]
        documents.append(Document(path.stem, title, path.name, str(path), text, dates[path.name]))
    return documents


@pytest.fixture(scope="session")
def hostile() -> str:
    """Everything that could run, load or be taken for markup, in one string."""
    return HOSTILE


@pytest.fixture(scope="session")
def qa(tmp_path_factory: pytest.TempPathFactory) -> FakeAnswerer:
    """The three seed notices."""
    return FakeAnswerer(read_seeds(), SEED_ANSWERS, directory=tmp_path_factory.mktemp("fake"))


@pytest.fixture(scope="session")
def hostile_qa(tmp_path_factory: pytest.TempPathFactory) -> FakeAnswerer:
    """One document whose title, path, date and text are all `HOSTILE`, and a question that is, too."""
    text = f"{HOSTILE}\n\nA sentence. The {HOSTILE} of it. Another.\n"
    document = Document("hostile", HOSTILE, HOSTILE, HOSTILE, text, DocumentDate(HOSTILE, 1, 1))
    answers = {HOSTILE: (HOSTILE, [(HOSTILE, 0.5), ("sentence", 0.1)])}
    return FakeAnswerer([document], answers, directory=tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(qa: Assistant) -> Iterator[str]:
    """Where the page over the seed notices is served."""
    yield from served(qa)


@pytest.fixture
def tab(browser: Browser, address: str) -> Iterator[Visit]:
    """A tab on the page. Whatever a test does there, nothing may leave the host or go wrong."""
    tab = visit(browser, address)
    yield tab
    tab.check()
    tab.page.context.close()
