"""The report's templates (`report.html`), its style and its script; Jinja2 escapes every value.

The page's policy lets a browser apply this very style, run this very script, and load nothing: markup that slipped
through would stay inert.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

# UTF-8 cannot hold lone surrogates, HTML forbids noncharacters, and of control characters only tabs and line feeds
# mean anything.
_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_HERE = Path(__file__).parent


@cache
def macros() -> Any:
    """Returns the macros of `report.html`, each a function that returns Markup."""
    environment = Environment(loader=FileSystemLoader(_HERE), autoescape=True)
    return environment.get_template("report.html").module


def document(title: str, body: Markup, style: str) -> str:
    """Returns the page; `style` is added to `report.css`. What cannot be shown becomes U+FFFD."""
    # Without the script the table is whole, and its links still filter it: the style looks at their anchors.
    style, script = (_HERE / "report.css").read_text("utf-8") + style, (_HERE / "report.js").read_text("utf-8")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    page = macros().page(title, Markup(policy), Markup(style), Markup(script), body)
    return _UNSHOWABLE.sub("\ufffd", page)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
