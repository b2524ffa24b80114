"""A conversation as a file to download: pure functions, tested by their exact output."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from epiqa.api.schemas import reply_json, with_path
from epiqa.web.services.conversation import Turn
from epiqa.web.texts import Language, translate
from epiqa.web.views.citations import as_markdown, markdown_text


def export_markdown(conversation: Sequence[Turn], language: Language) -> str:
    """Returns the conversation as Markdown: every question, its answer, and its citation."""
    parts = []
    for turn in conversation:
        reply = markdown_text(turn.error or translate(language, "no_answer"))
        if turn.answer is not None and turn.answer.text is not None:
            reply = as_markdown(turn.answer.citations[0], turn.answer.confidence, language)
        parts.append(f"## {markdown_text(turn.question)}\n\n{reply}\n")
    return "\n".join(parts)


def export_json(conversation: Sequence[Turn]) -> str:
    """Returns the conversation as JSON.

    A turn has what `epiqa ask --json` prints, as far as it was kept, or its `error`, and the `verdict`.
    """
    turns = [
        (with_path(reply_json(turn.answer)) if turn.answer else {"question": turn.question, "error": turn.error})
        | {"verdict": turn.verdict}
        for turn in conversation
    ]
    return json.dumps(turns, ensure_ascii=False, indent=2) + "\n"


def download_link(name: str, kind: str, content: str) -> str:
    """Returns a link to a file; the page's script clicks it as soon as it appears."""
    data = base64.b64encode(content.encode("utf-8", "replace")).decode()
    return f'<a download="{name}" href="data:{kind};charset=utf-8;base64,{data}">{name}</a>'
