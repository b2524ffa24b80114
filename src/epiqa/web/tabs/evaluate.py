"""The tab "Evaluate": runs a question set and shows its measures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from epiqa.errors import EpiQAError
from epiqa.evaluation import Evaluation, Mode, write_report
from epiqa.web.services.assistant import Assistant
from epiqa.web.services.evaluation import (
    Progress,
    Run,
    keep_question_set,
    question_set_path,
    question_sets,
)
from epiqa.web.services.feedback import FEEDBACK
from epiqa.web.services.uploads import scratch_folder
from epiqa.web.tabs.events import QUIET
from epiqa.web.texts import label, language_of, translate, translate_error
from epiqa.web.views.evaluation import render_evaluation, render_progress
from epiqa.web.views.html import alert, note, translate_html


def build_evaluate(qa: Assistant, page: gr.Blocks) -> None:
    """Lays the tab out and connects it."""
    intro = gr.HTML(apply_default_css=False)
    with gr.Row(elem_classes="epiqa-set"):
        with gr.Column(min_width=320):
            chosen = gr.Dropdown([], value=None, label=label("question_set"), elem_id="epiqa-question-set")
            mode = gr.Radio(
                [(label("mode_open"), "open"), (label("mode_reader"), "reader")],
                value="open",
                label=label("mode"),
                elem_id="epiqa-mode",
            )
            with gr.Row():
                run = gr.Button(label("run"), variant="primary", elem_id="epiqa-run")
                stop = gr.Button(label("stop"), elem_id="epiqa-stop")
        file = gr.File(
            label=label("question_set_add"),
            file_types=[".jsonl", ".json", ".csv", ".tsv", ".gz"],
            height=180,
            elem_id="epiqa-question-set-file",
        )
    result = gr.HTML(elem_id="epiqa-evaluation", apply_default_css=False)
    report = gr.DownloadButton(label("report"), visible=False, elem_id="epiqa-report")
    evaluating = EvaluateHandlers(qa)

    page.load(evaluating.intro, None, [intro, chosen, result], **QUIET)
    chosen.focus(evaluating.choices, chosen, chosen, **QUIET)
    file.upload(evaluating.keep, file, [file, chosen, result], **QUIET)
    run.click(
        evaluating.run, [chosen, mode], [result, report], concurrency_id="evaluate", concurrency_limit=1, **QUIET
    )
    stop.click(evaluating.stop, None, None, **QUIET)


class EvaluateHandlers:
    """The tab's event handlers. One evaluation runs at a time, for all users of the page."""

    def __init__(self, qa: Assistant) -> None:
        self.qa = qa
        self._run: Run | None = None

    def intro(self, request: gr.Request) -> tuple[str, Any, str]:
        """Introduces the tab, and lists the question sets."""
        language = language_of(request)
        said = translate_html(language, "evaluate_intro")
        none = "" if question_sets(self.qa.directory) else translate_html(language, "no_question_set")
        empty = note(none, "empty") if none else ""
        return note(said), self.choices(None, request), empty

    def choices(self, chosen: str | None, request: gr.Request) -> Any:
        """Lists the current question sets."""
        language, names = language_of(request), question_sets(self.qa.directory)
        shown = [
            (translate(language, "question_set_feedback") if name == FEEDBACK else Path(name).name, name)
            for name in names
        ]
        return gr.Dropdown(choices=shown, value=chosen if chosen in names else names[-1] if names else None)

    def keep(self, file: str, request: gr.Request) -> tuple[Any, ...]:
        """Adds a question set and chooses it."""
        try:
            name = keep_question_set(self.qa.directory, Path(file))
        except EpiQAError as error:
            return None, gr.skip(), alert(translate_error(language_of(request), error))
        return None, self.choices(name, request), ""

    def run(self, name: str | None, mode: Mode, request: gr.Request) -> Iterator[tuple[str, Any]]:
        """Runs the question set; shows the progress, then the measures."""
        language, hidden = language_of(request), gr.DownloadButton(visible=False)
        if not name:
            yield alert(translate(language, "no_question_set")), hidden
            return
        try:
            self._run = Run(question_set_path(self.qa.directory, name), self.qa.directory, mode)
            yield render_progress(None, language), hidden
            for event in self._run.events():
                if isinstance(event, Progress):
                    yield render_progress(event, language), hidden
                elif isinstance(event, Evaluation):
                    shown = Path(name).name
                    path = self._write_report(event, shown)
                    yield render_evaluation(event, shown, language), gr.DownloadButton(value=path, visible=True)
                else:
                    yield f'<p role="status">{translate_html(language, "stopped")}</p>', hidden
        except EpiQAError as error:
            yield alert(translate_error(language, error)), hidden
        finally:
            self.stop()  # the reader may have closed the page
            self._run = None

    def stop(self) -> None:
        """Stops the run."""
        if self._run is not None:
            self._run.stop()

    def _write_report(self, evaluation: Evaluation, name: str) -> str:
        """Writes the report where Gradio may read it; returns its path."""
        path = scratch_folder() / f"report-{Path(name).stem}.html"
        write_report(evaluation, name, path)
        return str(path)
