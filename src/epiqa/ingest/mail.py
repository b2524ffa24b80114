"""A mail: who wrote to whom, when and about what, then the text; its subject is the title, its date the date.

Of a mail in two forms the plain one is read. An attachment is a document of its own, "a.eml/1/plan.pdf".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart

from epiqa.errors import IngestError
from epiqa.ingest import webpage
from epiqa.ingest.dates import parse_date
from epiqa.ingest.encodings import decode, marked
from epiqa.ingest.find import printable
from epiqa.ingest.formats import format_of, not_read, parts_of
from epiqa.ingest.parsed import Builder, Parsed, Unreadable

_SHOWN = ("From", "To", "Cc", "Date", "Subject")
# What of an attachment may be in an encoding that stands in its header alone.
_TEXT = ("plain", "markdown", "webpage", "table", "jsonl")


def parse(data: bytes, name: str) -> Iterator[Parsed | Unreadable]:
    """Yields the mail, then its attachments."""
    # The parser's own message class: without it, no header would be decoded.
    message = message_from_bytes(data, EmailMessage, policy=policy.default)
    headers = {key: value for key in _SHOWN if (value := _header(message, key))}
    body = message.get_body(("plain", "html"))
    if not headers and body is None:
        raise IngestError(name, "is not a mail")
    builder = Builder()
    builder.add("\n".join(f"{key}: {value}" for key, value in headers.items()))
    if body is not None:
        builder.add(_text(body, name))
    yield builder.build(
        title=headers.get("Subject"),
        date=parse_date(headers.get("Date", "")),
        language=_header(message, "Content-Language"),
    )
    for number, part in enumerate(message.iter_attachments(), start=1):
        yield from _attachment(part, number)


def _attachment(part: MIMEPart, number: int) -> Iterator[Parsed | Unreadable]:
    """Yields what an attachment holds, like a file; its number distinguishes attachments of one name."""
    file = printable((part.get_filename() or "without a name").replace("/", "_"))
    member = f"/{number}/{file}"
    payload = part.get_payload(decode=True)
    format_ = format_of(file)
    try:
        if format_ is None:
            raise IngestError(file, not_read(file))
        if format_.module in ("archive", "mail") or not isinstance(payload, bytes):
            raise IngestError(file, "is a container in a mail: save it first")
        if format_.module in _TEXT and part.get_content_maintype() == "text":
            payload = marked(payload, file, part.get_content_charset())
        for found in parts_of(payload, file):
            yield replace(found, member=member + found.member)
    except IngestError as error:
        yield Unreadable(member, error.reason)


def _header(message: EmailMessage, key: str) -> str:
    try:
        if key == "Date":  # the parser would write it in its own way
            return next(
                (" ".join(str(value).split()) for name, value in message.raw_items() if name.title() == key), ""
            )
        return " ".join(str(message.get(key, "")).split())
    except (
        ValueError,
        LookupError,
        TypeError,
        IndexError,
        AttributeError,
    ):  # what the parser of headers trips over
        return ""


def _text(body: MIMEPart, name: str) -> str:
    payload = body.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    charset = body.get_content_charset()
    if body.get_content_subtype() == "html":
        return webpage.parse(marked(data, name, charset), name).text if data.strip() else ""
    return decode(data, name, charset)
