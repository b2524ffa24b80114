"""What the page says when the index fails it: a file that was damaged, a disk that is full."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import gradio as gr

from epiqa.errors import EpiQAError
from epiqa.web.texts import language_of, say_error
from epiqa.web.views.answers import text

_Parameters = ParamSpec("_Parameters")
_Outputs = TypeVar("_Outputs")


def told(handler: Callable[_Parameters, _Outputs]) -> Callable[_Parameters, _Outputs]:
    """Lets an event's handler fail with a notice that says why, and leave the page as it was."""

    @functools.wraps(handler)
    def handling(*values: _Parameters.args, **named: _Parameters.kwargs) -> _Outputs:
        try:
            return handler(*values, **named)
        except EpiQAError as error:
            request = next((value for value in (*values, *named.values()) if isinstance(value, gr.Request)), None)
            message = text(say_error(language_of(request), error))
            raise gr.Error(message, print_exception=False) from error

    return handling
