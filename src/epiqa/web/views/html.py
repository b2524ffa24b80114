"""The building blocks of rendered HTML.

Gradio writes this HTML into the page unchanged. Every string of a document, a file name, a question or an error
therefore passes through `escape`, in attributes too. Addresses are built from such strings by `quote` alone.
"""

from __future__ import annotations

import html
from collections.abc import Iterable

from epiqa.web.texts import Language, translate


def escape(value: object) -> str:
    """Returns a value as HTML, for elements and quoted attributes."""
    return html.escape(str(value))


def translate_html(language: Language, key: str, **values: object) -> str:
    """Returns a text of the page as HTML, with its values in place."""
    return escape(translate(language, key, **values))


def button(label: str, /, *, kind: str = "epiqa-button", **data: object) -> str:
    """Returns a button for the page's script; `label` is HTML, `data` the button's data attributes."""
    attributes = "".join(f' data-{name}="{escape(value)}"' for name, value in data.items())
    return f'<button type="button" class="{kind}"{attributes}>{label}</button>'


def fold(summary: str, contents: Iterable[str]) -> str:
    """Returns contents that a click on their summary unfolds; both are HTML."""
    return f"<details><summary>{summary}</summary>{''.join(contents)}</details>"


def note(content: str, kind: str = "note") -> str:
    """Returns a paragraph of HTML beside the page's controls; `kind` is "note" or "empty"."""
    return f'<p class="epiqa-{kind}">{content}</p>'


def alert(message: object) -> str:
    """Returns an error message that screen readers announce."""
    return f'<p class="epiqa-error" role="alert">{escape(message)}</p>'
