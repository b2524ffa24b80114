"""Our figures are those of the reference scorers, to four decimals.

SQuAD: cases worked by hand from the definition of its script, evaluate-v2.0.py; the same definition, written here
anew, scores random predictions. Retrieval: cases worked by hand, and scored by ir-measures, which runs trec_eval.
"""

from __future__ import annotations

import math
import random
import re
import string
from collections.abc import Callable

import ir_measures
import pytest
from ir_measures import RR, R, nDCG

from epiqa.evaluation import metrics

FOUR_DECIMALS = 5e-5

# What is predicted (None: no answer), the gold answers, and the exact match and F1 that SQuAD's script gives.
Case = tuple["str | None", list[str], float, float]

SEVERAL_GOLDS: list[Case] = [
    ("Denver Broncos", ["Denver Broncos", "Denver Broncos", "The Broncos"], 1, 1),
    ("Broncos of Denver", ["Denver Broncos", "Broncos"], 0, 0.8),  # 2 of 3 words and 2 of 2, better than 1 of 3
    ("to be or not to be", ["to be to be", "or"], 0, 0.8),  # each word as often as both have it: 4 of 6 and of 4
    ("seven days", ["eight", "nine weeks"], 0, 0),
]
NO_ANSWER: list[Case] = [
    (None, [], 1, 1),
    ("seven", [], 0, 0),
    (None, ["seven", "eight"], 0, 0),
    ("", ["seven"], 0, 0),
    ("", [], 1, 1),
]
ARTICLES: list[Case] = [
    ("an apple a day", ["The apple day"], 1, 1),
    ("Athens", ["thens"], 0, 0),
    ("the duke", ["duke of the hill"], 0, 0.5),  # duke, of duke of hill
    ("A.", ["b"], 0, 0),
    ("plan A", ["plan B"], 0, 0.6667),  # the A is gone: plan, of plan b
]
NOTHING_LEFT: list[Case] = [
    ("the", [], 1, 1),  # nothing is left of it, so it is no answer
    ("?!", ["the"], 1, 1),
    (None, ["%"], 1, 1),
    ("a", ["the", "seven"], 0, 0),  # a gold answer without words is dropped if another has some
    ("seven", ["%", "seven days"], 0, 0.6667),
    ("seven", ["the", "%"], 0, 0),
]
PUNCTUATION: list[Case] = [
    ("$5,000!", ["5000"], 1, 1),
    ("1.5", ["15"], 1, 1),
    ("U.S.-led", ["US led"], 0, 0),  # usled is one word
    ("rock 'n' roll", ["Rock n Roll"], 1, 1),
    ("5 %", ["5%"], 1, 1),
    ("Wang, Li", ["Wang Li and Tan"], 0, 0.6667),  # 2 of 2 and of 4
]
UNICODE: list[Case] = [
    ("ÉCOLE", ["école"], 1, 1),
    ("Straße", ["STRASSE"], 0, 0),  # lower case, not case folding
    ("İzmir", ["izmir"], 0, 0),  # its lower case keeps the dot as a mark of its own
    ("Cafe\u0301 noir", ["Café noir"], 0, 0.5),  # no normalisation to NFC; that is done when sets are read
    ("“Wang”", ["Wang"], 0, 0),  # only ASCII punctuation is dropped
    ("1939–1945", ["1939-1945"], 0, 0),
    ("l’a dit", ["l’ dit"], 1, 1),  # after the kept apostrophe an article is a word
    ("seven\u00a0days", ["seven\u3000days"], 1, 1),  # both are white space
    ("seven\u200bdays", ["seven days"], 0, 0),  # this is none
    ("大连市", ["大连"], 0, 0),  # one word, for want of spaces
]
ALL = [*SEVERAL_GOLDS, *NO_ANSWER, *ARTICLES, *NOTHING_LEFT, *PUNCTUATION, *UNICODE]


@pytest.mark.parametrize(("prediction", "golds", "exact", "f1"), ALL)
def test_worked_cases_of_squad(prediction: str | None, golds: list[str], exact: float, f1: float) -> None:
    assert metrics.best(metrics.exact_match, prediction, golds) == exact
    assert metrics.best(metrics.f1_score, prediction, golds) == pytest.approx(f1, abs=FOUR_DECIMALS)


def words_by_definition(text: str) -> list[str]:
    """Lower case, then without ASCII punctuation, then without articles, then cut at white space."""
    kept = "".join(character for character in text.lower() if character not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", kept).split()


def exact_by_definition(predicted: list[str], gold: list[str]) -> float:
    return 1.0 if " ".join(predicted) == " ".join(gold) else 0.0


def f1_by_definition(predicted: list[str], gold: list[str]) -> float:
    if not predicted or not gold:
        return 1.0 if predicted == gold else 0.0
    left = list(gold)
    for word in predicted:
        if word in left:
            left.remove(word)
    common = len(gold) - len(left)
    if not common:
        return 0.0
    precision, recall = common / len(predicted), common / len(gold)
    return 2 * precision * recall / (precision + recall)


def squad_by_definition(
    score: Callable[[list[str], list[str]], float], prediction: str | None, golds: list[str]
) -> float:
    """No answer is the empty text; gold answers without words are dropped; without any, the empty text is right."""
    worded = [words for words in map(words_by_definition, golds) if words] or [[]]
    return max(score(words_by_definition(prediction or ""), words) for words in worded)


PIECES = [
    *(
        "the",
        "A",
        "an",
        "seven",
        "Seven,",
        "days",
        "of",
        "%",
        "-",
        "U.S.",
        "us",
        "’",
        "É",
        "é",
        "e\u0301",
        "İ",
        "ß",
    ),
    *("大连", "“a”", "l’a", "1.5", "15", "\u00a0", "\u2028", "\u200b", "\ud83d\ude00", "Ⅳ", "a_b", "ab", "\t"),
]


def test_random_predictions_score_as_squad_defines() -> None:
    draw = random.Random(20)

    def text() -> str:
        return "".join(draw.choice(PIECES) + draw.choice(["", " ", " "]) for _ in range(draw.randrange(4)))

    cases = [
        (draw.choice([None, *[text()] * 5]), [text() for _ in range(draw.choice([0, 1, 1, 2, 3]))])
        for _ in range(2000)
    ]
    for measure, definition in (
        (metrics.exact_match, exact_by_definition),
        (metrics.f1_score, f1_by_definition),
    ):
        ours = [metrics.best(measure, prediction, golds) for prediction, golds in cases]
        assert ours == pytest.approx([squad_by_definition(definition, *case) for case in cases], abs=1e-12)
        assert 200 < sum(ours) < 1800  # right and wrong ones are both among them


# The grades, the ranking, and R@1, R@5, RR@10 and nDCG@10. Gains are the grades, over log2(rank + 1).
RANKINGS: dict[str, tuple[dict[str, int], list[str], tuple[float, float, float, float]]] = {
    # (1 + 3 / 2) / (3 + 2 / log2(3) + 1 / 2)
    "graded, one missing": ({"d1": 3, "d2": 2, "d3": 1}, ["d3", "d9", "d1"], (1 / 3, 2 / 3, 1, 0.5250)),
    # (2 / log2(3) + 2 / log2(5)) / (2 + 2 / log2(3))
    "equal grades": ({"d1": 2, "d2": 2}, ["d9", "d2", "d8", "d1"], (0, 1, 1 / 2, 0.6509)),
    "equal grades, any order": ({"d1": 2, "d2": 2}, ["d2", "d1"], (1 / 2, 1, 1, 1)),
    "not the best order": ({"d1": 1, "d2": 3}, ["d1", "d2"], (1 / 2, 1, 1, 0.7967)),
    "nothing relevant found": ({"d1": 1}, ["d2", "d3"], (0, 0, 0, 0)),
    "nothing found": ({"d1": 1}, [], (0, 0, 0, 0)),
    "beyond the cutoff": ({"d11": 1}, [f"d{rank}" for rank in range(1, 12)], (0, 0, 0, 0)),
    "at the cutoff": ({"d10": 1}, [f"d{rank}" for rank in range(1, 12)], (0, 0, 1 / 10, 0.2891)),
    # 12 are relevant, the best ten places hold ten of them.
    "more relevant than places": (
        {f"d{rank}": 1 for rank in range(12)},
        [f"d{rank}" for rank in range(10)],
        (1 / 12, 5 / 12, 1, 1),
    ),
}
MEASURES = (R @ 1, R @ 5, RR @ 10, nDCG @ 10)


def ours(grades: dict[str, int], ranking: list[str]) -> list[float]:
    return [
        metrics.recall(ranking, set(grades), 1),
        metrics.recall(ranking, set(grades), 5),
        metrics.reciprocal_rank([name in grades for name in ranking], 10),
        metrics.ndcg([grades.get(name, 0) for name in ranking], list(grades.values()), 10),
    ]


@pytest.mark.parametrize("name", RANKINGS)
def test_worked_rankings(name: str) -> None:
    grades, ranking, expected = RANKINGS[name]
    assert ours(grades, ranking) == pytest.approx(expected, abs=FOUR_DECIMALS)


def test_worked_rankings_by_ir_measures() -> None:
    qrels = [
        ir_measures.Qrel(query, document, grade)
        for query, (grades, _, _) in RANKINGS.items()
        for document, grade in {**grades, "d7": grades.get("d7", 0)}.items()  # judged irrelevant changes nothing
    ]
    run = [
        ir_measures.ScoredDoc(query, document, -rank)
        for query, (_, ranking, _) in RANKINGS.items()
        for rank, document in enumerate(ranking)
    ]
    found = {(each.query_id, each.measure): each.value for each in ir_measures.iter_calc(MEASURES, qrels, run)}
    for query, (grades, ranking, _) in RANKINGS.items():
        expected = [found.get((query, measure), 0.0) for measure in MEASURES]
        assert ours(grades, ranking) == pytest.approx(expected, abs=FOUR_DECIMALS)
    means = ir_measures.calc_aggregate(MEASURES, qrels, run)
    columns = zip(*(ours(grades, ranking) for grades, ranking, _ in RANKINGS.values()), strict=True)
    assert [sum(column) / len(RANKINGS) for column in columns] == pytest.approx(
        [means[measure] for measure in MEASURES], abs=FOUR_DECIMALS
    )


def test_tied_scores_rank_in_trec_eval_by_name_the_last_first() -> None:
    # We measure rankings, which have no ties. Of tied scores trec_eval makes d3, d2, d1, d4.
    grades = {"d1": 3, "d2": 1, "d4": 2}
    scores = {"d1": 0.5, "d2": 0.5, "d3": 0.5, "d4": 0.1}
    by_trec_eval = ir_measures.calc_aggregate(
        [R @ 1, R @ 2, RR, nDCG @ 10],
        [ir_measures.Qrel("q", document, grade) for document, grade in grades.items()],
        [ir_measures.ScoredDoc("q", document, score) for document, score in scores.items()],
    )
    ranking = sorted(sorted(scores, reverse=True), key=lambda document: -scores[document])
    assert ranking == ["d3", "d2", "d1", "d4"]
    ideal = 3 + 2 / math.log2(3) + 1 / 2
    assert by_trec_eval[nDCG @ 10] == pytest.approx((1 / math.log2(3) + 3 / 2 + 2 / math.log2(5)) / ideal)
    assert ours(grades, ranking)[3] == pytest.approx(by_trec_eval[nDCG @ 10], abs=FOUR_DECIMALS)
    assert ours(grades, ranking)[2] == by_trec_eval[RR] == 1 / 2
    assert ours(grades, ranking)[0] == by_trec_eval[R @ 1] == 0
    assert metrics.recall(ranking, set(grades), 2) == pytest.approx(by_trec_eval[R @ 2], abs=FOUR_DECIMALS)
