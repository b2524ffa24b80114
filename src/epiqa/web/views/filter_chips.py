"""The filter of the page: what its fields make of it, and the chips that show it while it is active."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from epiqa.filters import Filter
from epiqa.types import DocumentInfo
from epiqa.web.texts import Language, say
from epiqa.web.views.answers import text

MAX_CHOICES = 1000


def filter_of(documents: Sequence[str] | None, since: str | None, until: str | None) -> Filter:
    """Returns the filter of the fields; raises FilterError when a day is none."""
    return Filter(
        documents=tuple(documents or ()),
        since=(since or "").strip() or None,
        until=(until or "").strip() or None,
    )


def choices(documents: Sequence[DocumentInfo]) -> list[tuple[str, str]]:
    """Returns name and id of the documents that the filter's field lists: of many, the first."""
    return [(f"{document.title} ({document.path})", document.id) for document in documents[:MAX_CHOICES]]


def render_chips(within: Filter, titles: Mapping[str, str], count: int, language: Language) -> str:
    """Returns a chip for each condition, a button that removes it; `count` documents meet them all."""
    if not within:
        return ""
    chips = [("documents", name, titles.get(name, name)) for name in within.documents]
    if within.since is not None:
        chips.append(("since", within.since, say(language, "chip_since", day=within.since)))
    if within.until is not None:
        chips.append(("until", within.until, say(language, "chip_until", day=within.until)))
    buttons = "".join(
        f'<button type="button" class="epiqa-chip" data-action="unfilter" data-field="{field}" '
        f'data-value="{text(value)}" aria-label="{text(say(language, "chip_remove", name=name))}">'
        f'<span dir="auto">{text(name)}</span> <span aria-hidden="true">×</span></button>'
        for field, value, name in chips
    )
    fits = text(say(language, "filter_fits", count=count))
    return (
        f'<p class="epiqa-chips"><span>{text(say(language, "filter_active"))}</span> {buttons} '
        f'<span class="epiqa-fits" role="status">{fits}</span></p>'
    )
