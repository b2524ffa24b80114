"""Carries clicks on rendered HTML to the server, as events of a hidden component (see `bridge.js`).

Gradio's HTML component has no events for the buttons inside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import gradio as gr

SCRIPT: Final = Path(__file__).with_name("bridge.js").read_text(encoding="utf-8")


class Bridge:
    """The hidden component: each event is named after a button's action and carries the button's data."""

    def __init__(self) -> None:
        self._component = gr.HTML(
            "", html_template="", js_on_load=SCRIPT, visible="hidden", apply_default_css=False
        )

    def on(
        self, action: str, fn: Callable[..., Any], inputs: list[Any] | None = None, outputs: list[Any] | None = None
    ) -> Any:
        """Makes a button's action call `fn`, whose last parameters are the event's data and the request."""
        listen = getattr(self._component, action)
        return listen(fn, inputs, outputs, api_visibility="private", show_progress="hidden")


def data_of(event: gr.EventData) -> Mapping[str, str]:
    """Returns the button's data, which anyone can forge: texts by name."""
    data = event._data
    return {str(key): str(value) for key, value in data.items()} if isinstance(data, Mapping) else {}


def number_of(event: gr.EventData, name: str) -> int | None:
    """Returns a whole number from the button's data, or None."""
    value = data_of(event).get(name, "")
    return int(value) if value.isdecimal() and len(value) < 16 else None
