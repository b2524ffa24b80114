"""What the tabs' event handlers share: their options, and an EpiQAError shown as a notice on the page."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar

import gradio as gr

from epiqa.errors import EpiQAError
from epiqa.web.texts import language_of, translate_error
from epiqa.web.views.html import escape

PRIVATE: Final[dict[str, Any]] = {"api_visibility": "private"}
QUIET: Final[dict[str, Any]] = {**PRIVATE, "show_progress": "hidden"}

_Parameters = ParamSpec("_Parameters")
_Outputs = TypeVar("_Outputs")


def errors_as_notices(handler: Callable[_Parameters, _Outputs]) -> Callable[_Parameters, _Outputs]:
    """Makes an event's handler show an EpiQAError as a notice and leave the page unchanged."""

    @functools.wraps(handler)
    def handling(*values: _Parameters.args, **named: _Parameters.kwargs) -> _Outputs:
        try:
            return handler(*values, **named)
        except EpiQAError as error:
            request = next((value for value in (*values, *named.values()) if isinstance(value, gr.Request)), None)
            message = escape(translate_error(language_of(request), error))
            raise gr.Error(message, print_exception=False) from error

    return handling


def warn(message: str) -> Any:
    """Shows a warning; returns the output that leaves a component unchanged."""
    gr.Warning(escape(message))
    return gr.skip()
