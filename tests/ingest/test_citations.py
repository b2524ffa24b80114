"""From a file of each format to the citation: page and section are those of the quote, not of its passage."""

from __future__ import annotations

from pathlib import Path

import pytest

from epiqa import EpiQA
from epiqa.cli.show import answer_as_json, found_as_json
from epiqa.errors import EpiQAError
from epiqa.sync.operations import add_paths
from epiqa.sync.options import UpdateOptions
from fakes import KeywordReader, WordEmbedder
from paths import FORMATS as DATA


def build(*paths: Path, index: Path) -> EpiQA:
    return EpiQA.build(paths, index, embedder=WordEmbedder(), reader=KeywordReader())


def test_a_citation_names_the_section_it_stands_in(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        "# Title\n\nSchools.\n\n## Harbour\n\nFerries; answer: Ann Lee.\n\n## Last\n\nEnd."
    )
    qa = build(tmp_path / "a.md", index=tmp_path / "index")
    answer = qa.ask("Who?", min_confidence=0)
    citation = answer.citations[0]
    assert (citation.quote, citation.section, citation.page) == ("Ann Lee", "Harbour", None)
    text = qa.document_text(citation.document_id) or ""
    assert text[citation.start : citation.end] == "Ann Lee"
    assert [(turn.section, turn.page) for turn in answer.passages[0].turns] == [("Harbour", None), ("Last", None)]
    assert found_as_json("Who?", answer.passages)["passages"][0]["section"] == "Title"
    found = answer_as_json(answer, qa.info)["answers"][0]["citation"]
    assert list(found)[4:7] == ["page", "section", "start"]
    assert found["section"] == "Harbour"


def test_a_citation_names_the_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "town,head\n" + "".join(f"T{i},H{i}\n" for i in range(50)) + "Z,answer: Ann Lee\n"
    )
    qa = build(tmp_path / "a.csv", index=tmp_path / "index")
    assert qa.ask("answer Ann Lee", min_confidence=0).citations[0].section == "row 52"


def test_what_a_container_no_longer_holds_does_not_answer(tmp_path: Path) -> None:
    path, index = tmp_path / "a.jsonl", tmp_path / "index"
    path.write_text('{"text": "one"}\n{"text": "two"}\n{"text": "three"}\n')
    (tmp_path / "a.jsonl2.txt").write_text("beside")
    qa = build(path, tmp_path / "a.jsonl2.txt", index=index)
    assert [d.path.rpartition("/")[2] for d in qa.documents()] == [
        "a.jsonl#1",
        "a.jsonl#2",
        "a.jsonl#3",
        "a.jsonl2.txt",
    ]
    path.write_text('{"text": "one"}\n{"text": "zwei"}\n')
    report = add_paths([path], index, UpdateOptions(embedder=WordEmbedder()))
    assert report.unchanged == (f"{path}#1",)
    assert report.replaced == (f"{path}#2",)
    assert report.removed == (f"{path}#3",)
    assert EpiQA.open(index).info.documents == 3
    path.write_text('{"text": "one"}\n')
    assert add_paths([path], index, UpdateOptions(embedder=WordEmbedder())).removed == (f"{path}#2",)
    assert EpiQA.open(index).info.documents == 2


def test_an_archive_that_holds_nothing_more_answers_nothing_more(tmp_path: Path) -> None:
    path, index = tmp_path / "a.jsonl", tmp_path / "index"
    path.write_text('{"text": "one"}\n')
    build(path, index=index)
    path.write_text("")
    report = add_paths([path], index, UpdateOptions(embedder=WordEmbedder()))
    assert (report.removed, report.skipped) == ((f"{path}#1",), ((str(path), "is empty"),))
    assert EpiQA.open(index).info.documents == 0


def test_a_file_that_is_empty_now_answers_nothing(tmp_path: Path) -> None:
    path, index = tmp_path / "a.txt", tmp_path / "index"
    path.write_text("one")
    build(path, index=index)
    path.write_text("")
    report = add_paths([path], index, UpdateOptions(embedder=WordEmbedder()))
    assert (report.removed, report.skipped) == ((str(path),), ((str(path), "is empty"),))
    assert EpiQA.open(index).info.documents == 0
    assert EpiQA.open(index).unread() == [(str(path), "is empty")]


def test_the_page_of_a_pdf_comes_to_the_citation(tmp_path: Path) -> None:
    qa = build(DATA / "chromium-pages.pdf", index=tmp_path / "index")
    passage = qa.search("ferries Sundays")[0]
    at = passage.start + passage.quote.index("ferries")
    assert (passage.page, passage.place(at).page) == (1, 3)
    assert [document.note for document in qa.documents()] == [
        "no text on page 2 of 3, which may be scans (epiqa index --ocr reads those)"
    ]


def test_a_file_whose_metadata_changed_is_replaced(tmp_path: Path) -> None:
    path, index = tmp_path / "a.html", tmp_path / "index"
    path.write_text("<title>One</title><p>text")
    build(path, index=index)
    path.write_text("<title>Two</title><p>text")
    assert add_paths([path], index, UpdateOptions(embedder=WordEmbedder())).replaced == (str(path),)
    assert [document.title for document in EpiQA.open(index).documents()] == ["Two"]


def test_what_could_not_be_read_is_remembered_until_it_can(tmp_path: Path) -> None:
    good, bad, index = tmp_path / "good.txt", tmp_path / "bad.txt", tmp_path / "index"
    good.write_text("good")
    bad.write_bytes(b"a\0b")
    reason = "is not text (it holds NUL characters)"
    qa = build(good, bad, index=index)
    assert (qa.unread(), qa.info.unread, qa.info.documents) == ([(str(bad), reason)], 1, 1)
    with pytest.raises(EpiQAError, match="nothing was indexed"):
        add_paths([bad], index, UpdateOptions(embedder=WordEmbedder()))
    bad.write_text("well")
    assert add_paths([bad], index, UpdateOptions(embedder=WordEmbedder())).added == (str(bad),)
    assert (EpiQA.open(index).unread(), EpiQA.open(index).info.unread) == ([], 0)
    good.write_bytes(b"a\0b")
    assert add_paths([good], index, UpdateOptions(embedder=WordEmbedder())).removed == (str(good),)
    assert EpiQA.open(index).unread() == [(str(good), reason)]
    assert [document.path for document in EpiQA.open(index).documents()] == [str(bad)]
