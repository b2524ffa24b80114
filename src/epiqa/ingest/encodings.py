"""Bytes -> text: what a file says of its encoding, else what its bytes show.

Told apart are UTF-8, UTF-16, UTF-32, GB18030 and Windows-1252 (which holds Latin-1). Bytes that look like none of
these are refused: a wrong guess would be quoted to the letter.
"""

from __future__ import annotations

import codecs
import re

from epiqa.errors import IngestError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"\x84\x31\x95\x33", "gb18030"),
)
# Of what a file may declare: others are no encodings of text, or read ASCII as something else.
_REFUSED = {"utf-7", "punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"}
_SAMPLE_BYTES = 1 << 18
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_CONTROL = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")
# In Windows-1252: no character, and those that text has seldom.
_UNDEFINED = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_PAIR = re.compile(rb"[\x81-\xfe][\x30-\xfe]")


def decode(data: bytes, name: str, declared: str | None = None) -> str:
    """Returns the text of a file; `declared` is the encoding that it names itself.

    Raises IngestError when the bytes are no text, or its encoding is not known.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], encoding, name)
    if declared and (usable := _usable(declared)):
        return _decoded(data, usable, name)
    try:
        return _checked(data.decode("utf-8"), name)
    except UnicodeDecodeError as error:
        if _is_damaged_utf_8(data[:_SAMPLE_BYTES]):
            raise IngestError(
                name, f"is UTF-8 text, but broken at byte {error.start} (0x{data[error.start]:02x}): save it again"
            ) from error
        if found := _guess(data):
            return _decoded(data, found, name)
        raise IngestError(
            name,
            f"is not UTF-8 text (byte {error.start} is 0x{data[error.start]:02x}), nor UTF-16, GB18030 or"
            " Latin-1: save it as UTF-8",
        ) from error


def marked(data: bytes, name: str, declared: str | None) -> bytes:
    """Returns text that shows its encoding, where something beside it declares one: in UTF-8 with its mark.

    Where nothing is declared, or the bytes are not that, they stay as they are, and have to speak for themselves.
    """
    if not declared or not _usable(declared):
        return data
    try:
        return codecs.BOM_UTF8 + decode(data, name, declared).encode("utf-8", "replace")
    except IngestError:
        return data


def _decoded(data: bytes, encoding: str, name: str) -> str:
    try:
        return _checked(data.decode(encoding), name)
    except UnicodeError as error:
        where = f" (byte {error.start})" if isinstance(error, UnicodeDecodeError) else ""
        raise IngestError(name, f"is not the {encoding.upper()} text it says it is{where}") from error


def _checked(text: str, name: str) -> str:
    if "\0" in text:
        raise IngestError(name, "is not text (it holds NUL characters)")
    return text


def _usable(declared: str) -> str | None:
    """Returns Python's name of a declared encoding, None where it names none of text."""
    try:
        codec = codecs.lookup(declared.strip())
    except (LookupError, ValueError):
        return None
    if not codec._is_text_encoding or codec.name in _REFUSED:
        return None
    # Browsers and mail programs write the one and mean the other.
    return {"iso8859-1": "cp1252", "ascii": None, "utf-8": None, "gb2312": "gb18030", "gbk": "gb18030"}.get(
        codec.name, codec.name
    )


def _is_damaged_utf_8(sample: bytes) -> bool:
    """Returns whether most of what is beyond ASCII is UTF-8: of GB18030, a fourth may look like it by chance."""
    text = sample.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    return len(text) - sum(map(str.isascii, text)) - wrong > 4 * wrong


def _guess(data: bytes) -> str | None:
    sample = data[:_SAMPLE_BYTES]
    if sample.count(0) > len(sample) // 8:
        return _utf_16(sample)
    if 0 in sample or _CONTROL.search(sample):
        return None
    if _is_gb18030(data, sample):
        return "gb18030"
    return "cp1252" if _is_western(sample) else None


def _utf_16(sample: bytes) -> str | None:
    """Returns the byte order of UTF-16 without a mark: in most languages, one byte of two is often zero."""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if odd > 4 * even:
        return "utf-16-le"
    return "utf-16-be" if even > 4 * odd else None


def _is_gb18030(data: bytes, sample: bytes) -> bool:
    """Returns whether bytes are Chinese: high bytes in pairs, most of them among the 3,755 most usual characters.

    In Western text a high byte stands alone among letters; in Russian, the first of a pair is as often as not
    outside of that range.
    """
    try:
        data.decode("gb18030")
    except UnicodeDecodeError:
        return False
    runs = [len(run) for run in _HIGH_RUN.findall(sample)]
    if sum(run > 1 for run in runs) * 2 < len(runs):
        return False
    pairs: list[int] = [pair[0] for pair in _PAIR.findall(sample)]
    usual = sum(0xB0 <= lead <= 0xD7 for lead in pairs)
    signs = sum(0xA1 <= lead <= 0xA9 for lead in pairs)
    return bool(pairs) and usual + signs > 0 and usual >= 0.75 * (len(pairs) - signs)


def _is_western(sample: bytes) -> bool:
    """Returns whether bytes are mostly ASCII with single letters beyond it, as in Western European text."""
    runs = [len(run) for run in _HIGH_RUN.findall(sample)]
    long_runs = sum(run for run in runs if run > 3)
    signs = len(sample.translate(None, b" \t\r\n"))
    is_dense = sum(runs) > 0.3 * signs
    return long_runs <= 0.2 * sum(runs) and not is_dense and _UNDEFINED.search(sample) is None
