"""The active filter as a row of chips, each of which removes a condition: a pure function."""

from __future__ import annotations

from collections.abc import Mapping

from epiqa.filters import Filter
from epiqa.web.texts import Language, translate
from epiqa.web.views.html import escape, translate_html


def render_chips(within: Filter, titles: Mapping[str, str], count: int, language: Language) -> str:
    """Returns a chip for each condition, a button that removes it; `count` documents meet all conditions."""
    if not within:
        return ""
    chips = [("documents", name, titles.get(name, name)) for name in within.documents]
    if within.since is not None:
        chips.append(("since", within.since, translate(language, "chip_since", day=within.since)))
    if within.until is not None:
        chips.append(("until", within.until, translate(language, "chip_until", day=within.until)))
    buttons = "".join(
        f'<button type="button" class="epiqa-chip" data-action="unfilter" data-field="{field}" '
        f'data-value="{escape(value)}" aria-label="{translate_html(language, "chip_remove", name=name)}">'
        f'<span dir="auto">{escape(name)}</span> <span aria-hidden="true">×</span></button>'
        for field, value, name in chips
    )
    fits = translate_html(language, "filter_fits", count=count)
    return (
        f'<p class="epiqa-chips"><span>{translate_html(language, "filter_active")}</span> {buttons} '
        f'<span class="epiqa-fits" role="status">{fits}</span></p>'
    )
