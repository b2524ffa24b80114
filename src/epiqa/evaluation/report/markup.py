"""Pieces of HTML: escaped text, tables, and the page's frame with its style, its one script and its policy.

The policy lets a browser apply this very style, run this very script, and load nothing: markup that slipped
through would stay inert.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

# UTF-8 cannot hold lone surrogates, HTML forbids noncharacters, and of control characters only tabs and line feeds
# mean anything.
_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")

_HERE = Path(__file__).parent


def escape(text: object) -> str:
    """Returns a text as HTML, for elements and quoted attributes; what cannot be shown becomes U+FFFD."""
    return html.escape(_UNSHOWABLE.sub("\ufffd", str(text)))


def isolated(text: object) -> str:
    """Returns a text as HTML that does not turn what stands around it, whatever its direction of writing."""
    return f"<bdi>{escape(text)}</bdi>"


def table(kind: str, caption: str, heads: Sequence[str], rows: Iterable[str]) -> str:
    """Returns a table of the classes `kind`; all else is HTML."""
    head = "".join(heads)
    return (
        f'<table class="{kind}"><caption>{caption}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def column(name: str, kind: str = "") -> str:
    """Returns a column's head; `name` is HTML, `kind` its classes."""
    return f'<th scope=col class="{kind}">{name}</th>' if kind else f"<th scope=col>{name}</th>"


def document(title: str, body: str, style: str) -> str:
    """Returns the page; `title` is a text, `body` HTML, `style` what is added to `report.css`."""
    # Without the script the table is whole, and its links still filter it: the style looks at their anchors.
    style, script = (_HERE / "report.css").read_text("utf-8") + style, (_HERE / "report.js").read_text("utf-8")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name=viewport content="width=device-width">'
        f"<title>{escape(title)}</title><style>{style}</style></head>"
        f"<body><main>{body}</main><script>{script}</script></body></html>\n"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
