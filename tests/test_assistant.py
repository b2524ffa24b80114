"""The pipeline as a user of the library meets it: build, open, add, remove, search, ask."""

from __future__ import annotations

import logging
import threading
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from epiqa import EpiQA
from epiqa.arguments import MAX_QUESTION_CHARACTERS, check_question
from epiqa.errors import EmbedderMismatchError, EpiQAError, IndexMissingError, ModelError, QuestionError
from epiqa.sync.operations import add_paths
from epiqa.sync.options import UpdateOptions
from epiqa.text_qa import TextQA
from fakes import KeywordReader, WordEmbedder
from paths import SEEDS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "a.txt").write_text("First notice\n\nThe question of beds has the answer: forty two. It was late.")
    (folder / "b.txt").write_text("Second notice\n\nMasks are worn everywhere.")
    return folder


def build(folder: Path, index: Path) -> EpiQA:
    return EpiQA.build([folder], index=index, embedder=WordEmbedder(), reader=KeywordReader())


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> EpiQA:
    return EpiQA.build([SEEDS], index=tmp_path_factory.mktemp("index"))


def test_an_answer_comes_with_its_citation_and_the_time_it_took(folder: Path, tmp_path: Path) -> None:
    qa = build(folder, tmp_path / "index")
    answer = qa.ask("What is the number of beds?")
    assert answer.text == answer.citations[0].quote == "forty two"
    citation = answer.citations[0]
    text = qa.document_text(citation.document_id)
    assert text is not None
    assert text[citation.start : citation.end] == "forty two"
    assert (citation.title, citation.path) == ("First notice", str(folder / "a.txt"))
    assert set(answer.timings_ms) == {"retrieve", "read", "answer", "total"}
    parts = [answer.timings_ms[name] for name in ("retrieve", "read", "answer")]
    assert sum(parts) == pytest.approx(answer.timings_ms["total"], abs=0.01)


def test_what_the_documents_do_not_hold_is_not_answered(folder: Path, tmp_path: Path) -> None:
    (folder / "a.txt").unlink()
    answer = build(folder, tmp_path / "index").ask("What is the number of beds?")
    assert (answer.is_answered, answer.text, answer.citations) == (False, None, ())
    assert [passage.path for passage in answer.passages] == [str(folder / "b.txt")]


def test_indexing_again_says_what_became_of_each_file(folder: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    build(folder, index)
    (folder / "a.txt").write_text("First notice\n\nThe answer: fifty.")
    (folder / "c.txt").write_text("Third notice")
    (folder / "d.txt").write_bytes(b"\x00\x01")
    embedder = WordEmbedder()
    report = add_paths([folder, tmp_path / "none"], index, UpdateOptions(embedder=embedder))
    assert report.added == (str(folder / "c.txt"),)
    assert report.unchanged == (str(folder / "b.txt"),)
    assert report.replaced == (str(folder / "a.txt"),)
    assert report.skipped == (
        (str(tmp_path / "none"), "there is no such file or folder"),
        (str(folder / "d.txt"), "is not text (it holds NUL characters)"),
    )
    assert not any("Second notice" in text for text in embedder.encoded)
    qa = EpiQA.open(index, embedder=embedder, reader=KeywordReader())
    assert qa.ask("What is the answer?").text == "fifty"
    assert qa.info.documents == 3


def test_one_path_need_not_be_a_list(folder: Path, tmp_path: Path) -> None:
    qa = EpiQA.build(str(folder), index=tmp_path / "index", embedder=WordEmbedder())
    assert qa.info.documents == 2
    (tmp_path / "c.txt").write_text("Third notice")
    assert qa.add(tmp_path / "c.txt").added == (str(tmp_path / "c.txt"),)


def test_indexing_what_is_unchanged_writes_no_generation(folder: Path, tmp_path: Path) -> None:
    first = build(folder, tmp_path / "index").info.generation
    assert build(folder, tmp_path / "index").info.generation == first


def test_the_same_file_by_another_path_is_not_indexed_twice(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    qa = build(folder, tmp_path / "index")
    monkeypatch.chdir(folder)
    report = qa.add(["a.txt"])
    assert (report.added, report.replaced, report.unchanged) == ((), (), ("a.txt",))
    assert qa.info.documents == 2


def test_a_bad_file_costs_nothing_that_was_in_the_index(folder: Path, tmp_path: Path) -> None:
    qa = build(folder, tmp_path / "index")
    (tmp_path / "bad.txt").write_bytes(b"")
    with pytest.raises(EpiQAError, match=r"nothing was indexed: .*bad.txt: is empty"):
        qa.add([tmp_path / "bad.txt"])
    assert EpiQA.open(tmp_path / "index").info.documents == 2


def test_a_bad_file_leaves_no_index_where_there_was_none(tmp_path: Path) -> None:
    with pytest.raises(EpiQAError, match="there is no such file or folder"):
        EpiQA.build([tmp_path / "none"], index=tmp_path / "index")
    assert not (tmp_path / "index").exists()
    with pytest.raises(IndexMissingError, match="epiqa index PATH"):
        EpiQA.open(tmp_path / "index")


def test_build_warns_of_what_it_skipped(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "bad.txt").write_bytes(b"\xff")
    with caplog.at_level(logging.WARNING, logger="epiqa"):
        build(folder, tmp_path / "index")
    (message,) = caplog.messages
    assert message.startswith(f"skipped {folder / 'bad.txt'}: is not UTF-8 text (byte 0 is 0xff)")


def test_progress_counts_the_files(folder: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    EpiQA.build(
        [folder],
        index=tmp_path / "index",
        embedder=WordEmbedder(),
        on_progress=lambda done, total, path: seen.append((done, total, Path(path).name)),
    )
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    assert {total for _, total, _ in seen} == {2}
    assert (seen[0], seen[-1]) == ((0, 2, "a.txt"), (2, 2, "b.txt"))


def test_a_removed_document_no_longer_answers(folder: Path, tmp_path: Path) -> None:
    qa = build(folder, tmp_path / "index")
    first = next(document for document in qa.documents() if document.title == "First notice")
    qa.remove(first.id)
    assert [document.title for document in qa.documents()] == ["Second notice"]
    assert not qa.ask("What is the number of beds?").is_answered
    with pytest.raises(EpiQAError, match=f"there is no document '{first.id}'"):
        qa.remove(first.id)


def test_an_index_refuses_another_embedder_by_name(folder: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    build(folder, index)
    other = WordEmbedder("other", 32)
    with pytest.raises(EmbedderMismatchError, match=r"built with words \(words@64\), this embedder is other"):
        EpiQA.open(index, embedder=other)
    with pytest.raises(EmbedderMismatchError):
        EpiQA.build([folder], index=index, embedder=other)
    assert EpiQA.open(index).info.embedder == "words@64"


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("", "the question is empty"),
        (" \n\t", "the question is empty"),
        ("?!… — \"'", "has no words"),
        ("x" * 10_000, f"has 10000 characters, more than {MAX_QUESTION_CHARACTERS}"),
    ],
)
def test_a_question_that_cannot_be_asked_is_an_error(seeds: EpiQA, question: str, message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        seeds.ask(question)
    with pytest.raises(QuestionError, match=message):
        seeds.search(question)


@pytest.mark.parametrize(
    "question",
    [
        "谁主持了二月二日的会议？",
        "<script>alert(1)</script>",
        '" OR NEAR( * ^ AND quote:x',
        "null\0byte and \ud800 surrogate",
        "😀 x 😀",
        "why " * 240,
        "1 " * 300,
        "谁主持了会议" * 50,
    ],
)
def test_odd_questions_get_an_answer_or_none_but_never_a_stack_trace(seeds: EpiQA, question: str) -> None:
    answer = seeds.ask(question)
    assert len(answer.passages) > 0
    for candidate in answer.candidates:
        for citation in candidate.citations:
            text = seeds.document_text(citation.document_id)
            assert text is not None
            assert text[citation.start : citation.end] == citation.quote


def test_a_question_in_chinese_is_not_answered(seeds: EpiQA) -> None:
    assert not seeds.ask("谁主持了二月二日的会议？").is_answered


def test_a_question_is_trimmed_and_normalised() -> None:
    assert check_question("  " + unicodedata.normalize("NFD", "Café?") + "\n") == "Café?"


@pytest.mark.parametrize("top_k", [0, -1, 1001])
def test_top_k_out_of_range_is_an_error(seeds: EpiQA, top_k: int) -> None:
    with pytest.raises(EpiQAError, match=f"top_k is {top_k}: it must be from 1 to 1000"):
        seeds.ask("Who?", top_k=top_k)


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan")])
def test_a_confidence_out_of_range_is_an_error(seeds: EpiQA, value: float) -> None:
    with pytest.raises(EpiQAError, match=f"min_confidence is {value}: it must be a number from 0 to 1"):
        seeds.ask("Who?", min_confidence=value)


def test_who_asks_for_certainty_or_for_anything_gets_it(seeds: EpiQA) -> None:
    question = "How many goals did Brazil score in 1970?"
    assert seeds.ask(question, min_confidence=0.0).is_answered
    assert not seeds.ask("Who presided over the meeting on February 2?", min_confidence=1.0).is_answered


def test_every_passage_and_citation_of_the_seeds_is_verbatim(seeds: EpiQA) -> None:
    texts = {document.id: seeds.document_text(document.id) or "" for document in seeds.documents()}
    passages = seeds.search("epidemic prevention and control", top_k=1000)
    assert len(passages) == seeds.info.chunks
    answer = seeds.ask("Who presided over the meeting on February 2?")
    citations = [citation for candidate in answer.candidates for citation in candidate.citations]
    assert citations
    for passage in passages:
        assert texts[passage.document_id][passage.start : passage.end] == passage.quote
    for citation in citations:
        assert texts[citation.document_id][citation.start : citation.end] == citation.quote
        begin, finish = citation.start - len(citation.before), citation.end + len(citation.after)
        sentence = citation.before + citation.quote + citation.after
        assert texts[citation.document_id][begin:finish] == sentence


def test_the_seeds_answer_who_presided(seeds: EpiQA) -> None:
    answer = seeds.ask("Who presided over the meeting on February 2?")
    assert answer.text == "Tan Zuojun"
    assert answer.citations[0].path.endswith("002_4240fd80c429d22d.txt")
    assert answer.citations[0].date is not None
    assert answer.citations[0].date.written == "February 2"


def test_a_question_is_answered_the_same_way_again(seeds: EpiQA) -> None:
    one, two = (seeds.ask("How often will students be tested?") for _ in range(2))
    assert (one.candidates, one.passages) == (two.candidates, two.passages)


def test_a_text_can_be_questioned_without_an_index() -> None:
    text = "Notice\n\nWe met. The answer: forty two. It was late."
    answer = TextQA(reader=KeywordReader()).ask("What is the answer?", text)
    assert answer.text == "forty two"
    assert text[answer.citations[0].start : answer.citations[0].end] == "forty two"


def test_a_long_text_is_read_to_its_end() -> None:
    text = "Notice\n\n" + "We met and it rained all day. " * 400 + "The answer: forty two."
    answer = TextQA(reader=KeywordReader()).ask("What is the answer?", text)
    assert answer.text == "forty two"
    assert len(answer.passages) > 10
    assert text[answer.citations[0].start : answer.citations[0].end] == "forty two"


def test_a_text_that_is_not_normalised_is_refused() -> None:
    with pytest.raises(EpiQAError, match="not normalised"):
        TextQA(reader=KeywordReader()).ask("What?", "a\r\nb")


def test_models_are_loaded_once_however_many_threads_need_them(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(folder, tmp_path / "index")
    loaded: list[str] = []

    def load(path: str | None) -> KeywordReader:
        time.sleep(0.05)
        loaded.append(threading.current_thread().name)
        return KeywordReader()

    monkeypatch.setattr("epiqa.text_qa.load_reader", load)
    qa = EpiQA.open(tmp_path / "index", embedder=WordEmbedder())
    qa.preload()
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(qa.ask, ["What is the number of beds?"] * 4))
    assert {answer.text for answer in answers} == {"forty two"}
    assert len(loaded) == 1
    assert loaded != [threading.main_thread().name]


def test_a_model_that_cannot_be_loaded_is_named_when_it_is_needed(folder: Path, tmp_path: Path) -> None:
    build(folder, tmp_path / "index")
    qa = EpiQA.open(tmp_path / "index", embedder=WordEmbedder(), reader=str(tmp_path / "none"))
    qa.preload()
    assert qa.search("beds")
    with pytest.raises(ModelError, match="none' is not a folder with"):
        qa.ask("What is the number of beds?")
