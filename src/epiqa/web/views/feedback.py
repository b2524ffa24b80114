"""The lists of judged and of unanswered questions as HTML: pure functions, tested by their exact output."""

from __future__ import annotations

from collections.abc import Sequence

from epiqa.web.services.feedback import Judged, Unanswered
from epiqa.web.texts import Language
from epiqa.web.views.html import button, escape, translate_html

SHOWN = 200


def render_judged(judged: Sequence[Judged], language: Language) -> str:
    """Returns the judged questions, each with its right or wrong answer."""
    items = [
        f'<li><p class="epiqa-asked" dir="auto">{escape(each.question)}</p><p>{_gold(each, language)} '
        f'<span class="epiqa-path">{escape(each.path)}</span></p>{_buttons(each.question, language)}</li>'
        for each in judged[:SHOWN]
    ]
    return _list("judged", items, language)


def render_unanswered(unanswered: Sequence[Unanswered], language: Language) -> str:
    """Returns the unanswered questions, each with how often and when it was last asked."""
    items = [
        f'<li><p class="epiqa-asked" dir="auto">{escape(each.question)}</p>'
        f'<p>{translate_html(language, "times", count=each.times)}, <time datetime="{escape(each.last)}">'
        f"{escape(each.last[:10])}</time></p>{_buttons(each.question, language)}</li>"
        for each in unanswered[:SHOWN]
    ]
    return _list("unanswered", items, language)


def _gold(judged: Judged, language: Language) -> str:
    if judged.is_wrong and not judged.answer:
        return translate_html(language, "gold_missing")
    if judged.is_wrong:
        return translate_html(language, "gold_wrong", answer=judged.answer)
    if judged.answer is None:
        return translate_html(language, "gold_impossible")
    return f'<mark dir="auto">{escape(judged.answer)}</mark>'


def _buttons(question: str, language: Language) -> str:
    again = button(translate_html(language, "ask_again"), action="again", question=question)
    return f"<p>{again} {button(translate_html(language, 'forget'), action='forget', question=question)}</p>"


def _list(key: str, items: Sequence[str], language: Language) -> str:
    heading = f"<h2>{translate_html(language, key)}</h2>"
    if not items:
        return f'{heading}<p class="epiqa-empty">{translate_html(language, f"{key}_none")}</p>'
    return f'{heading}<ul class="epiqa-questions">{"".join(items)}</ul>'
