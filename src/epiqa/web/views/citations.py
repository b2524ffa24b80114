"""A citation as text, Markdown and BibTeX for the clipboard: pure functions, tested by their exact output."""

from __future__ import annotations

import re

from epiqa.types import Citation
from epiqa.web.texts import Language, translate

# Markdown's markup anywhere in a line, and at its beginning.
_MARKUP = re.compile(r"([\\`*_\[\]<>|~$&#!])")
_LINE_MARKUP = re.compile(r"^(\s*\d*)([-+=.)])", re.MULTILINE)
_TEX = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def as_text(citation: Citation, confidence: float, language: Language) -> str:
    """Returns the quote in its sentence, and the source with the confidence below it."""
    return f"“{citation.quote}”\n{_sentence(citation)}\n— {_source(citation, language)} ({confidence:.2f})"


def as_markdown(citation: Citation, confidence: float, language: Language) -> str:
    """Returns the sentence as a block quote, the answer in bold, and the source with the confidence below it."""
    before, quote, after = map(markdown_text, (citation.before, citation.quote, citation.after))
    bold = re.sub(r"^(\s*)(.*?)(\s*)$", r"\1**\2**\3", quote, flags=re.DOTALL)
    sentence = re.sub(r"\s*\n\s*", " ", before + bold + after).strip()
    return f"> {sentence}\n>\n> — {markdown_text(_source(citation, language))} ({confidence:.2f})"


def as_bibtex(citation: Citation) -> str:
    """Returns a BibTeX entry for the document, with the quote and its offsets as the note."""
    date = citation.date
    fields = {"title": f"{{{_tex(citation.title)}}}"}
    if date is not None and date.year is not None:
        fields["date"] = date.iso
        fields["year"] = str(date.year)
    elif date is not None:
        fields["howpublished"] = _tex(date.written)
    place = [_tex(citation.path)]
    if citation.page is not None:
        fields["pages"] = str(citation.page)
    if citation.section:
        place.append(_tex(citation.section))
    place.append(f"characters {citation.start}--{citation.end}")
    fields["note"] = f"``{_tex(citation.quote)}'', {', '.join(place)}"
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return f"@misc{{epiqa-{_key(citation.document_id)},\n{lines}}}\n"


def markdown_text(text: str) -> str:
    """Escapes a text so that Markdown shows it unchanged."""
    return _LINE_MARKUP.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", text))


def _sentence(citation: Citation) -> str:
    return re.sub(r"\s*\n\s*", " ", citation.before + citation.quote + citation.after).strip()


def _source(citation: Citation, language: Language) -> str:
    parts = [citation.title]
    if citation.date is not None:
        parts.append(citation.date.written)
    if citation.page is not None:
        parts.append(translate(language, "page", number=citation.page))
    if citation.section:
        parts.append(citation.section)
    return ", ".join([*parts, citation.path])


def _tex(text: str) -> str:
    return re.sub(r"\s+", " ", "".join(_TEX.get(sign, sign) for sign in text)).strip()


def _key(document_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "", document_id) or "document"
