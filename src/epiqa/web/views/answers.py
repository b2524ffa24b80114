"""The page's head and its answers as HTML: pure functions, tested by their exact output."""

from __future__ import annotations

from collections.abc import Sequence

from epiqa.answering.answer import held_back
from epiqa.types import Answer, Candidate, Citation, IndexInfo, Passage
from epiqa.web.services.conversation import Turn
from epiqa.web.texts import Language, translate
from epiqa.web.views.citations import as_bibtex, as_markdown, as_text
from epiqa.web.views.html import alert, button, escape, fold, translate_html

CONFIDENCE_LEVELS = ((0.90, "very likely"), (0.70, "likely"), (0.40, "possible"), (0.00, "doubtful"))
CITATIONS_SHOWN = 1


def describe_confidence(confidence: float) -> tuple[str, str]:
    """Returns the confidence as a key of `TEXTS` and as a figure; a level includes its lower bound."""
    figure = round(confidence, 2)
    return next(word for cut, word in CONFIDENCE_LEVELS if figure >= cut), f"{figure:.2f}"


def render_header(info: IndexInfo, language: Language) -> str:
    """Returns the page's head: its name, what it does, and how much it searches."""
    unread = f" · {translate(language, 'unread_files', count=info.unread)}" if info.unread else ""
    return (
        f'<header class="epiqa-header"><h1>EpiQA</h1><p>{translate(language, "tagline")} '
        f"<strong>{translate(language, 'documents', count=info.documents)}</strong>{unread}</p></header>"
    )


def render_turn(turn: Turn, number: int, language: Language) -> str:
    """Returns the reply to a question; `number` is the turn's index in the conversation.

    An unanswered question gets excerpts of the nearest passages. Of its candidates, which are probably wrong, only
    the best is shown, folded, and only if it is likely enough.
    """
    if turn.answer is None:
        reply = alert(turn.error)
        return f'<section class="epiqa-answer" data-state="error">{reply}</section>'
    parts = _Reply(turn, turn.answer, number, language)
    if turn.answer.is_answered:
        return f'<section class="epiqa-answer" data-state="answered">{parts.answered()}</section>'
    return f'<section class="epiqa-answer" data-state="unanswered">{parts.unanswered()}</section>'


class _Reply:
    """The reply of one turn. Its sources are numbered in the order of `Turn.sources`."""

    def __init__(self, turn: Turn, answer: Answer, number: int, language: Language) -> None:
        self.turn, self.answer, self.number, self.language = turn, answer, number, language

    def answered(self) -> str:
        answer = self.answer
        shown, folded = answer.citations[:CITATIONS_SHOWN], answer.citations[CITATIONS_SHOWN:]
        parts = [f'<p class="epiqa-text" dir="auto">{escape(answer.text)}</p>', self._confidence()]
        if folded:
            parts.append(f'<p class="epiqa-places">{self._say("places", count=len(answer.citations))}</p>')
        parts += self._citations(shown, 0)
        if folded:
            parts.append(fold(self._say("more_places", count=len(folded)), self._citations(folded, len(shown))))
        others = answer.candidates[1:]
        if others:
            parts.append(
                fold(self._say("others", count=len(others)), self._candidates(1, None, len(answer.citations)))
            )
        return "".join([*parts, self._copies(), self._verdict()])

    def unanswered(self) -> str:
        answer, turn = self.answer, self.turn
        searched = self._say("searched", count=turn.documents)
        if turn.unread:
            searched += f" {self._say('without_text', count=turn.unread, files=self._unread())}"
        nearest = f" {self._say('nearest')}" if answer.passages else ""
        parts = [f'<p class="epiqa-text">{self._say("no_answer")}</p>', f"<p>{searched}{nearest}</p>"]
        for place, passage in enumerate(answer.passages):
            parts.append(self._figure(f"{escape(passage.quote)} …", passage, place))
        if held_back(answer):
            parts.append(fold(self._say("held_back"), self._candidates(0, 1, len(answer.passages))))
        return "".join([*parts, self._verdict()])

    def _unread(self) -> str:
        """Returns the first unreadable files in parentheses."""
        files = self.turn.unread_files
        return f" ({', '.join(files)}{', …' if self.turn.unread > len(files) else ''})" if files else ""

    def _say(self, key: str, **values: object) -> str:
        return translate_html(self.language, key, **values)

    def _confidence(self) -> str:
        words, figure = describe_confidence(self.answer.confidence)
        said = self._say("confidence", words=translate(self.language, words), figure=figure)
        meaning = self._say("meaning", percent=round(self.answer.confidence * 100))
        return f'<p class="epiqa-confidence"><strong>{said}</strong> <span>{meaning}</span></p>'

    def _citations(self, citations: Sequence[Citation], first: int) -> list[str]:
        return [self._citation(citation, place) for place, citation in enumerate(citations, start=first)]

    def _candidates(self, begin: int, end: int | None, place: int) -> list[str]:
        """Returns the candidates from `begin` to `end`; `place` is the number of their first citation."""
        candidates = self.answer.candidates
        parts: list[str] = []
        for candidate in candidates[begin:end]:
            parts.append(self._candidate(candidate))
            parts += self._citations(candidate.citations, place)
            place += len(candidate.citations)
        return parts

    def _candidate(self, candidate: Candidate) -> str:
        words, figure = describe_confidence(candidate.confidence)
        return (
            f'<p class="epiqa-candidate"><span dir="auto">{escape(candidate.text)}</span> '
            f'<span class="epiqa-figure">{translate_html(self.language, words)}, {figure}</span></p>'
        )

    def _citation(self, citation: Citation, place: int) -> str:
        sentence = f"{escape(citation.before)}<mark>{escape(citation.quote)}</mark>{escape(citation.after)}"
        return self._figure(sentence, citation, place)

    def _figure(self, quoted: str, source: Citation | Passage, place: int) -> str:
        """Returns `quoted`, which is HTML, above a button that opens its source."""
        title = f'<cite dir="auto">{escape(source.title)}</cite>'
        opens = self._say("show_in_document", title=source.title)
        return (
            f'<figure class="epiqa-citation"><blockquote dir="auto">{quoted}</blockquote><figcaption>'
            f'<button type="button" class="epiqa-open" data-action="open" data-turn="{self.number}" '
            f'data-place="{place}" aria-label="{opens}">{title}</button>'
            f"{render_place(source, self.language)}</figcaption></figure>"
        )

    def _copies(self) -> str:
        citation, confidence = self.answer.citations[0], self.answer.confidence
        buttons = (
            button(self._say("copy_text"), copy=as_text(citation, confidence, self.language)),
            button("Markdown", copy=as_markdown(citation, confidence, self.language)),
            button("BibTeX", copy=as_bibtex(citation)),
        )
        said = f'<span role="status" data-said="{self._say("copied")}"></span>'
        return f'<p class="epiqa-copy"><span>{self._say("copy")}</span> {" ".join(buttons)} {said}</p>'

    def _verdict(self) -> str:
        if self.turn.verdict:
            said = f"<span>{self._say(f'saved_{self.turn.verdict}')}</span>"
            more = f" {self._say('how_to_correct')}" if self.turn.verdict == "wrong" else ""
            return f'<p class="epiqa-verdict" role="status">{said}{more}</p>'
        buttons = [
            button(self._say(verdict), action="verdict", turn=self.number, verdict=verdict)
            for verdict in ("right", "wrong")
        ]
        return f'<p class="epiqa-verdict"><span>{self._say("verdict")}</span> {" ".join(buttons)}</p>'


def render_place(place: Citation | Passage, language: Language) -> str:
    """Returns the date, page, section and path of a source, as far as known."""
    parts = []
    if place.date is not None:
        parts.append(f'<span class="epiqa-date">{escape(place.date.written)}</span>')
    if place.page is not None:
        parts.append(f"<span>{translate_html(language, 'page', number=place.page)}</span>")
    if place.section is not None:
        parts.append(f'<span class="epiqa-section" dir="auto">{escape(place.section)}</span>')
    parts.append(f'<span class="epiqa-path">{escape(place.path)}</span>')
    return f'<span class="epiqa-place">{"".join(parts)}</span>'
