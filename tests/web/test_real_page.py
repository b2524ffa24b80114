"""The page over the real pipeline: upload every format, ask meanwhile, evaluate, remove."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from epiqa import EpiQA
from paths import ROOT
from web.visits import GRADIOS_WARNINGS, Visit, served, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = GRADIOS_WARNINGS

FORMATS = ROOT / "tests" / "data" / "formats"
QUESTION = "Who presided over the meeting on February 2?"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> EpiQA:
    return EpiQA.build([ROOT / "seeds"], index=tmp_path_factory.mktemp("index"))


@pytest.fixture(scope="module")
def address(pipeline: EpiQA) -> Iterator[str]:
    yield from served(pipeline)


@pytest.fixture
def every_format(tmp_path: Path) -> list[Path]:
    """A file of each format, a scan, which has no text, and a file of a kind that is not read."""
    written = {
        "plain.txt": "The clinic in Xigang opened on March 4. Its head is Lin Mei.",
        "marked.md": "# Notice\n\nThe clinic in Ganjingzi opened on March 5.",
        "page.html": "<h1>Notice</h1><p>The clinic in Lushun opened on March 6.</p>",
        "table.csv": "district,head\nShahekou,Zhao Lei\n",
        "table.tsv": "district\thead\nZhongshan\tSun Hao\n",
        "lines.jsonl": '{"title": "One", "text": "The clinic in Changhai opened on March 7."}\n',
    }
    for name, content in written.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    for name in ("chromium.pdf", "writer.docx", "writer.odt", "git.eml", "zip.zip", "chromium-scan.pdf"):
        shutil.copy(FORMATS / name, tmp_path)
    (tmp_path / "program.exe").write_bytes(b"MZ")
    return sorted(tmp_path.iterdir())


def test_the_pipeline_answers_on_the_page(tab: Visit) -> None:
    answer = tab.ask(QUESTION)
    assert answer.locator(".epiqa-text").inner_text() == "Tan Zuojun"
    assert answer.locator("mark").first.inner_text() == "Tan Zuojun"
    tab.source().wait_for()
    assert tab.is_source_in_view()
    assert tab.ask("How many vaccine doses did Dalian receive?").get_attribute("data-state") == "unanswered"


def test_every_format_is_uploaded_and_asked_about_while_another_reader_is_served(
    browser: Browser, address: str, tab: Visit, every_format: list[Path], pipeline: EpiQA
) -> None:
    other = visit(browser, address)
    tab.open_tab("Documents")
    refused = [path for path in every_format if path.suffix == ".exe"]
    taken = [path for path in every_format if path.suffix != ".exe"]
    tab.page.locator("#epiqa-upload input[type=file]").set_input_files(taken)
    tab.page.locator("#epiqa-uploads li").first.wait_for()
    assert other.ask(QUESTION).locator(".epiqa-text").inner_text() == "Tan Zuojun"
    tab.page.get_by_text("Done: 11 added, 0 replaced, 0 unchanged, 1 not read.").wait_for()
    states = {
        row.locator(".epiqa-path").inner_text(): row.get_attribute("data-state")
        for row in tab.page.locator("#epiqa-uploads li").all()
    }
    assert states == {path.name: "skipped" if "scan" in path.name else "added" for path in taken}
    assert "no text" in tab.page.locator("#epiqa-uploads li[data-state=skipped]").inner_text()
    assert f"{len(pipeline.documents())} documents" in tab.page.locator("#epiqa-header").inner_text()
    assert f"{pipeline.info.unread} files could not be read" in tab.page.locator("#epiqa-header").inner_text()
    tab.open_tab("Ask")
    tab.ask("When did the clinic in Lushun open?")
    assert tab.source().inner_text()
    assert pipeline.directory.joinpath("uploads", "page.html").is_file()
    assert [path.name for path in refused] == ["program.exe"]
    other.check()
    other.page.context.close()


def test_a_document_is_removed_after_a_second_click(tab: Visit, pipeline: EpiQA) -> None:
    before = len(pipeline.documents())
    tab.open_tab("Documents")
    row = tab.page.locator("#epiqa-documents tbody tr", has_text="plain.txt")
    row.locator("summary").click()
    assert len(pipeline.documents()) == before
    row.get_by_role("button", name="Yes, remove it from the index").click()
    row.wait_for(state="detached")
    tab.page.get_by_text("no longer gives answers").wait_for()
    assert len(pipeline.documents()) == before - 1
    assert not pipeline.directory.joinpath("uploads", "plain.txt").exists()


def test_an_unreadable_file_is_removed_from_the_list(tab: Visit, pipeline: EpiQA) -> None:
    scan = next(path for path, _ in pipeline.unread() if path.endswith("uploads/chromium-scan.pdf"))
    tab.open_tab("Documents")
    row = tab.page.locator("#epiqa-documents .epiqa-unread", has_text=scan)
    row.locator("summary").click()
    row.get_by_role("button", name="Yes, take it off this list").click()
    row.wait_for(state="detached")
    tab.page.get_by_text("is off the list").wait_for()
    assert scan not in dict(pipeline.unread())
    assert not pipeline.directory.joinpath("uploads", "chromium-scan.pdf").exists()


def test_a_question_set_is_added_run_and_reported(tab: Visit, tmp_path: Path) -> None:
    tab.open_tab("Evaluate")
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text("nothing\n", encoding="utf-8")
    upload = tab.page.locator("#epiqa-question-set-file input[type=file]")
    upload.set_input_files(wrong)
    tab.page.locator("#epiqa-evaluation [role=alert]").wait_for()
    assert "wrong.jsonl: is no question set" in tab.page.locator("#epiqa-evaluation").inner_text()
    good = tmp_path / "few.csv"
    good.write_text(f"question,answer\n{QUESTION},Tan Zuojun\nWho is the king of France?,\n", encoding="utf-8")
    tab.page.locator("#epiqa-question-set-file input[type=file]").set_input_files(good)
    tab.page.wait_for_function("document.querySelector('#epiqa-question-set input').value === 'few.csv'")
    tab.page.get_by_role("button", name="Run", exact=True).click()
    tab.page.get_by_text("few.csv: 2 questions in").wait_for()
    assert "Exact match" in tab.page.locator("#epiqa-evaluation").inner_text()
    assert tab.page.locator("#epiqa-evaluation svg[role=img]").count() >= 3
    figure = tab.page.locator("#epiqa-evaluation tbody td").first
    for width in (1440, 900, 390):
        tab.page.set_viewport_size({"width": width, "height": 900})
        assert figure.is_visible(), width
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
    tab.page.set_viewport_size({"width": 1440, "height": 900})
    with tab.page.expect_download() as saved:
        tab.page.locator("#epiqa-report").click()
    assert saved.value.suggested_filename == "report-few.html"
    assert "EpiQA on few.csv" in Path(saved.value.path()).read_text(encoding="utf-8")


def test_an_evaluation_is_stopped_and_another_one_runs(tab: Visit, tmp_path: Path) -> None:
    many, few = tmp_path / "many.csv", tmp_path / "one.csv"
    many.write_text("question,answer\n" + f"{QUESTION},Tan Zuojun\n" * 5000, encoding="utf-8")
    few.write_text(f"question,answer\n{QUESTION},Tan Zuojun\n", encoding="utf-8")
    tab.open_tab("Evaluate")
    for file in (many, few):
        tab.page.locator("#epiqa-question-set-file input[type=file]").set_input_files(file)
        tab.page.wait_for_function(f"document.querySelector('#epiqa-question-set input').value === '{file.name}'")
        tab.page.get_by_role("button", name="Run", exact=True).click()
        if file == many:
            tab.page.locator("#epiqa-evaluation progress[max]").wait_for()
            tab.page.get_by_role("button", name="Stop", exact=True).click()
            tab.page.get_by_text("Stopped. Nothing was measured.").wait_for()
    tab.page.get_by_text("one.csv: 1 question in").wait_for()


def test_a_program_adds_and_removes(address: str, tmp_path: Path) -> None:
    gradio_client = pytest.importorskip("gradio_client")
    client = gradio_client.Client(address, verbose=False, analytics_enabled=False)
    file = tmp_path / "program.txt"
    file.write_text("The harbour office in Jinzhou was opened by Gao Feng.", encoding="utf-8")
    added = client.predict([gradio_client.handle_file(file)], api_name="/add")
    assert added == [{"name": "program.txt", "state": "added", "reason": ""}]
    (document,) = [row for row in client.predict(api_name="/documents") if row["file"].endswith("program.txt")]
    assert client.predict(document["document_id"], api_name="/remove")["title"] == document["title"]
    with pytest.raises(gradio_client.exceptions.AppError, match="there is no document"):
        client.predict(document["document_id"], api_name="/remove")
