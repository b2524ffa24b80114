"""Translates the page's texts.

The browser translates the labels of Gradio's components (`I18N`). The server translates the HTML that it renders.
Both follow the first language that the browser prefers.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import gradio as gr

from epiqa.errors import EpiQAError, FilterError, QuestionError
from epiqa.web.translations import TEXTS

Language = Literal["en", "zh"]


def translate(language: Language, key: str, **values: object) -> str:
    """Returns a text with its values in place; an int `count` of 1 takes the singular where there is one."""
    count = values.get("count")
    if count == 1 and f"{key}_one" in TEXTS:
        key = f"{key}_one"
    shown = {name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
    return TEXTS[key][language == "zh"].format(**shown)


def translate_error(language: Language, error: EpiQAError) -> str:
    """Returns an error's message; its reason, which the shell shows too, stays in English."""
    kinds = {QuestionError: "error_question", FilterError: "error_filter"}
    return translate(language, kinds.get(type(error), "error"), reason=str(error))


def language_of(request: gr.Request | None) -> Language:
    """Returns the language of the first preference that a browser states."""
    headers = getattr(request, "headers", None)
    first = headers.get("accept-language", "") if headers else ""
    return "zh" if first.strip().lower().startswith("zh") else "en"


def label(key: str) -> Any:
    """Returns a text for a component, translated in the browser; not every component's types know of such."""
    return I18N(f"epiqa.{key}")


_ENGLISH = {f"epiqa.{key}": english for key, (english, _) in TEXTS.items()}
_CHINESE = {f"epiqa.{key}": chinese for key, (_, chinese) in TEXTS.items()}
# Readers of Traditional Chinese are better served with Simplified than with English; Gradio looks up each name.
I18N: Final = gr.I18n(**{"en": _ENGLISH} | dict.fromkeys(("zh", "zh-CN", "zh-SG", "zh-TW", "zh-HK"), _CHINESE))
