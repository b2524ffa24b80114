"""Other forms of an English word that stemming leaves apart: irregular ones, British and American spellings.

Rules make a form without asking whether there is such a word: nothing is found under one that there is not.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

MIN_RESPELT = 5  # of a shorter word, the rules make another: "four", "for"

_VERBS = """
arise arose arisen, awake awoke awoken, bear bore borne, beat beaten, become became, begin began begun, bend
bent, bind bound, bite bit bitten, bleed bled, blow blew blown, break broke broken, breed bred, bring brought,
build built, burn burnt, buy bought, catch caught, choose chose chosen, come came, creep crept, deal dealt, dig
dug, draw drew drawn, dream dreamt, drink drank drunk, drive drove driven, eat ate eaten, fall fell fallen, feed
fed, feel felt, fight fought, find found, flee fled, fly flew flown, forbid forbade forbidden, forget forgot
forgotten, forgive forgave forgiven, freeze froze frozen, get got gotten, give gave given, go went gone, grow
grew grown, hang hung, hear heard, hide hid hidden, hold held, keep kept, know knew known, lay laid, lead led,
learn learnt, leave left, lend lent, lose lost, make made, mean meant, meet met, pay paid, ride rode ridden,
ring rang rung, rise rose risen, run ran, say said, see saw seen, seek sought, sell sold, send sent, shake shook
shaken, shine shone, shoot shot, show shown, shrink shrank shrunk, sing sang sung, sink sank sunk, sit sat,
sleep slept, speak spoke spoken, spend spent, spin spun, stand stood, steal stole stolen, stick stuck, strike
struck stricken, swear swore sworn, sweep swept, swim swam swum, swing swung, take took taken, teach taught,
tear tore torn, tell told, think thought, throw threw thrown, undergo underwent undergone, understand
understood, undertake undertook undertaken, wake woke woken, wear wore worn, win won, withdraw withdrew
withdrawn, withstand withstood, write wrote written
"""
_NOUNS = """
man men, woman women, child children, foot feet, tooth teeth, mouse mice, goose geese, wife wives, life lives,
knife knives, wolf wolves, thief thieves, shelf shelves, half halves, bacterium bacteria, phenomenon phenomena,
criterion criteria, medium media, curriculum curricula, fungus fungi, nucleus nuclei, stimulus stimuli, bacillus
bacilli, larva larvae, vertebra vertebrae, index indices, appendix appendices, matrix matrices, crisis crises,
basis bases,
programme program, grey gray, sceptical skeptical, mould mold, sulphur sulfur, ageing aging
"""
_RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"our(s|ed|ing|ful|less|able|al|ites?|hoods?|ers?|ly|y|ly)?$", r"or\1"),
        (r"(?<!o)or(s|ed|ing|ful|less|able|al|ites?|hoods?|ers?|ly|y|ly)?$", r"our\1"),
        (r"is(e|es|ed|ing|ers?|ations?)$", r"iz\1"),
        (r"iz(e|es|ed|ing|ers?|ations?)$", r"is\1"),
        (r"ys(e|es|ed|ing|ers?)$", r"yz\1"),
        (r"yz(e|es|ed|ing|ers?)$", r"ys\1"),
        (r"tre(s?)$", r"ter\1"),
        (r"ter(s?)$", r"tre\1"),
        (r"ence(s?)$", r"ense\1"),
        (r"ense(s?)$", r"ence\1"),
        (r"ogue(s?)$", r"og\1"),
        (r"og(s?)$", r"ogue\1"),
        (r"(?<=[aeiou])ll(ed|ing|ers?)$", r"l\1"),
        (r"(?<=[^aeiou][aeiou])l(ed|ing|ers?)$", r"ll\1"),
        (r"sis$", "ses"),
        (r"ses$", "sis"),
        (r"[ao]e(?=.{2})", "e"),
        (r"^(an|leuk|septic|isch|hyperglyc|hypoglyc)em", r"\1aem"),
        (r"^hem(?=[aio])", "haem"),
        (r"^(ortho)?ped(?=i)", r"\1paed"),
        (r"^(gyn|f)ec", r"\1aec"),
        (r"^anesth", "anaesth"),
        (r"^cesar", "caesar"),
        (r"^(e)(?=dem|soph|strog)", r"o\1"),
        (r"^fet(?=us|al)", "foet"),
        (r"^celiac", "coeliac"),
        (r"rrhea", "rrhoea"),
    )
)


def _by_form() -> dict[str, tuple[str, ...]]:
    others: defaultdict[str, list[str]] = defaultdict(list)
    for group in _NOUNS.split(","):
        forms = group.split()
        for form in forms:
            others[form] += [other for other in forms if other != form]
    return {form: tuple(found) for form, found in others.items()}


_OTHERS = _by_form()
_PAST = {verb: tuple(past) for verb, *past in map(str.split, _VERBS.split(","))}


def past_of(word: str) -> tuple[str, ...]:
    """Returns the irregular past forms of a verb in lower case, none of a regular one's."""
    return _PAST.get(word, ())


def forms_of(word: str) -> Iterator[str]:
    """Yields what else a noun, or any word by its spelling, may be written as, in lower case; some are no words."""
    yield from _OTHERS.get(word, ())
    if len(word) >= MIN_RESPELT:
        for pattern, replacement in _RULES:
            form = pattern.sub(replacement, word)
            if form != word:
                yield form
