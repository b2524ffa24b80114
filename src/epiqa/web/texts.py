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
    """Returns a text with its values in place; a `count` of 1 takes the singular if the table has one."""
    count = values.get("count")
    if count == 1 and f"{key}_one" in TEXTS:
        key = f"{key}_one"
    shown = {name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
    return TEXTS[key][language == "zh"].format(**shown)


def translate_error(language: Language, error: EpiQAError) -> str:
    """Returns an error's message; the reason itself stays in English, as in the shell."""
    kinds = {QuestionError: "error_question", FilterError: "error_filter"}
    return translate(language, kinds.get(type(error), "error"), reason=str(error))


def language_of(request: gr.Request | None) -> Language:
    """Returns the language that the browser prefers, English for any but Chinese."""
    headers = getattr(request, "headers", None)
    first = headers.get("accept-language", "") if headers else ""
    return "zh" if first.strip().lower().startswith("zh") else "en"


def label(key: str) -> Any:
    """Returns a component's text, translated in the browser. (Some components' types do not allow for it.)"""
    return I18N(f"epiqa.{key}")


_ENGLISH = {f"epiqa.{key}": english for key, (english, _) in TEXTS.items()}
_CHINESE = {f"epiqa.{key}": chinese for key, (_, chinese) in TEXTS.items()}
# Gradio looks up each locale by its name. Readers of Traditional Chinese get Simplified rather than English.
I18N: Final = gr.I18n(**{"en": _ENGLISH} | dict.fromkeys(("zh", "zh-CN", "zh-SG", "zh-TW", "zh-HK"), _CHINESE))
