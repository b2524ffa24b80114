"""Answers, passages and errors as HTML: pure functions, tested by their exact output.

Gradio writes this HTML into the page as it is. Every string of a document, a file name, a question or
an error therefore passes through `_text`, and no attribute or address is ever made from one.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from epiqa.answer import NO_ANSWER, held_back
from epiqa.types import Answer, Candidate, Citation, IndexInfo, Passage

CONFIDENCE_LEVELS = ((0.90, "very likely"), (0.70, "likely"), (0.40, "possible"), (0.00, "doubtful"))
NEAREST_PASSAGES = 3
EXCERPT_CHARACTERS = 240
CITATIONS_SHOWN = 1

NO_PASSAGES = (
    '<section class="epiqa-passages"><h2>Passages</h2>'
    "<p>The passages that were read for an answer appear here, with the answer marked.</p></section>"
)


def describe_confidence(confidence: float) -> str:
    """Returns the confidence in words and figure: "likely, 0.82"; a level begins at its cut point."""
    figure = round(confidence, 2)
    word = next(word for cut, word in CONFIDENCE_LEVELS if figure >= cut)
    return f"{word}, {figure:.2f}"


def render_header(info: IndexInfo) -> str:
    """Returns the page's head: its name, what it does, and how much it searches."""
    documents = f"<strong>{_count(info.documents, 'document')}</strong>"
    unread = (
        f" {_count(info.unread, 'file')} could not be read: <code>epiqa documents</code> says why."
        if info.unread
        else ""
    )
    return (
        '<header class="epiqa-header"><h1>EpiQA</h1>'
        "<p>Answers your questions with the documents' own words, quoted to the letter, with their source. "
        f"{documents} {'is' if info.documents == 1 else 'are'} searched.{unread}</p></header>"
    )


def render_legend() -> str:
    """Returns the small line that says what the words for a confidence mean."""
    levels = [f"{word} from {cut:.2f}" for cut, word in CONFIDENCE_LEVELS[:-1]]
    return (
        '<p class="epiqa-legend">Confidence is the estimated chance that an answer is right: '
        f"{', '.join(levels)}, {CONFIDENCE_LEVELS[-1][1]} below.</p>"
    )


def render_answer(answer: Answer, documents: int) -> str:
    """Returns the reply in the chat; `documents` is how many were searched.

    An unanswered question gets excerpts of the nearest passages, and never its candidates: those were
    held back because they are probably wrong.
    """
    if answer.text is None:
        return _unanswered(answer, documents)
    shown, folded = answer.citations[:CITATIONS_SHOWN], answer.citations[CITATIONS_SHOWN:]
    parts = [
        f'<p class="epiqa-text" dir="auto">{_text(answer.text)}</p>',
        f'<p class="epiqa-confidence">Confidence: {describe_confidence(answer.confidence)}</p>',
    ]
    if len(answer.citations) > 1:
        parts.append(f'<p class="epiqa-places">Found in {len(answer.citations)} places:</p>')
    parts += [_citation(citation) for citation in shown]
    if folded:
        parts.append(_fold(_count(len(folded), "more place"), map(_citation, folded)))
    others = answer.candidates[1:]
    if others:
        parts.append(_fold(_count(len(others), "other possible answer"), map(_candidate, others)))
    return f'<section class="epiqa-answer" data-state="answered">{"".join(parts)}</section>'


def render_error(error: Exception) -> str:
    """Returns an error's message as a reply in the chat."""
    return (
        f'<section class="epiqa-answer" data-state="error"><p class="epiqa-error" role="alert">'
        f"{_text(str(error))}</p></section>"
    )


def render_passages(answer: Answer) -> str:
    """Returns the panel with the passages that were read, the answer's quotes marked where they lie."""
    if not answer.passages:
        return (
            '<section class="epiqa-passages"><h2>Passages</h2><p>No passage came near this question.</p></section>'
        )
    marks = [_marks(passage, answer.citations) for passage in answer.passages]
    items = [
        _passage(rank, passage, inside, unfolded=bool(inside) or (rank == 1 and not any(marks)))
        for rank, (passage, inside) in enumerate(zip(answer.passages, marks, strict=True), start=1)
    ]
    return (
        '<section class="epiqa-passages"><h2>Passages</h2>'
        f"<p>{_count(len(items), 'passage')} read, best first.</p><ol>{''.join(items)}</ol></section>"
    )


def _text(text: str) -> str:
    return html.escape(text)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _fold(summary: str, contents: Iterable[str]) -> str:
    return f"<details><summary>{summary}</summary>{''.join(contents)}</details>"


def _figure(quoted: str, place: Citation | Passage) -> str:
    """Returns `quoted`, which is HTML, above its source, which is text."""
    source = [f'<cite dir="auto">{_text(place.title)}</cite>']
    if place.date is not None:
        source.append(f'<span class="epiqa-date">{_text(place.date.written)}</span>')
    if place.page is not None:
        source.append(f"<span>page {place.page}</span>")
    if place.section is not None:
        source.append(f'<span class="epiqa-section" dir="auto">{_text(place.section)}</span>')
    source.append(f'<span class="epiqa-path">{_text(place.path)}</span>')
    return (
        f'<figure class="epiqa-citation"><blockquote dir="auto">{quoted}</blockquote>'
        f"<figcaption>{''.join(source)}</figcaption></figure>"
    )


def _citation(citation: Citation) -> str:
    sentence = f"{_text(citation.before)}<mark>{_text(citation.quote)}</mark>{_text(citation.after)}"
    return _figure(sentence, citation)


def _candidate(candidate: Candidate) -> str:
    head = (
        f'<p class="epiqa-candidate"><span dir="auto">{_text(candidate.text)}</span> '
        f'<span class="epiqa-confidence">{describe_confidence(candidate.confidence)}</span></p>'
    )
    return head + "".join(map(_citation, candidate.citations))


def _unanswered(answer: Answer, documents: int) -> str:
    searched = f"{_count(documents, 'document')} {'was' if documents == 1 else 'were'} searched."
    best = held_back(answer)
    parts = [
        f'<p class="epiqa-text">{NO_ANSWER}</p>',
        _fold("A possible answer, held back because it is not sure enough", [_candidate(best)]) if best else "",
        f"<p>{searched}{' The nearest passages, which may help:' if answer.passages else ''}</p>",
    ]
    parts += [_figure(_text(_excerpt(passage.quote)), passage) for passage in answer.passages[:NEAREST_PASSAGES]]
    return f'<section class="epiqa-answer" data-state="unanswered">{"".join(parts)}</section>'


def _excerpt(text: str) -> str:
    """Returns the text's beginning, cut between words where it has any, with an ellipsis if cut."""
    if len(text) <= EXCERPT_CHARACTERS:
        return text
    beginning = text[:EXCERPT_CHARACTERS]
    words, _, cut_word = beginning.rpartition(" ")
    return (words if len(cut_word) < EXCERPT_CHARACTERS // 4 else beginning) + " …"


def _marks(passage: Passage, citations: Sequence[Citation]) -> list[tuple[int, int]]:
    """Returns where the citations lie in `passage`, as offsets in its quote, in order, without overlap."""
    inside = sorted(
        (citation.start - passage.start, citation.end - passage.start)
        for citation in citations
        if citation.document_id == passage.document_id
        and passage.start <= citation.start
        and citation.end <= passage.end
    )
    marks: list[tuple[int, int]] = []
    for start, end in inside:
        if not marks or start >= marks[-1][1]:
            marks.append((start, end))
    return marks


def _passage(rank: int, passage: Passage, marks: Sequence[tuple[int, int]], *, unfolded: bool) -> str:
    pieces: list[str] = []
    position = 0
    for start, end in marks:
        pieces += [_text(passage.quote[position:start]), f"<mark>{_text(passage.quote[start:end])}</mark>"]
        position = end
    pieces.append(_text(passage.quote[position:]))
    date = "" if passage.date is None else f' <span class="epiqa-date">{_text(passage.date.written)}</span>'
    page = "" if passage.page is None else f", page {passage.page}"
    section = f', <span class="epiqa-section" dir="auto">{_text(passage.section)}</span>' if passage.section else ""
    return (
        f'<li><details{" open" if unfolded else ""}><summary><span class="epiqa-rank">{rank}</span> '
        f'<span class="epiqa-title" dir="auto">{_text(passage.title)}</span>{date}</summary>'
        f'<blockquote dir="auto">{"".join(pieces)}</blockquote><p class="epiqa-place">'
        f'<span class="epiqa-path">{_text(passage.path)}</span>{page}{section}, '
        f"characters {passage.start:,} to {passage.end:,}</p></details></li>"
    )
