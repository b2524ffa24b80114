"""Limits on measures: how they are named, which side they are on, and when they are met."""

from __future__ import annotations

import pytest

from epiqa.errors import EpiQAError
from epiqa.evaluation.limits import Limit, check_limits, parse_limits, unmet
from epiqa.evaluation.questions import Question, QuestionSet, RetrievalSet

MEASURES = {"f1": 0.8, "abstention": {"auroc": 0.7}, "calibration": {"ece": 0.12}, "latency_ms": {"p95": 140.0}}


def test_a_measure_is_named_in_full_or_by_its_last_part() -> None:
    expected = (
        Limit("abstention.auroc", 0.7, is_most=False),
        Limit("abstention.auroc", 0.75, is_most=False),
        Limit("latency_ms.p95", 150, is_most=True),
    )
    assert parse_limits(["abstention.auroc=0.7", " auroc = 75e-2"], ["p95=150"]) == expected


@pytest.mark.parametrize(
    ("under", "over", "said"),
    [
        (["f1=0.8", "auroc=0.7", "f1=0"], ["ece=0.12", "p95=1e9"], []),
        (["f1=0.81"], [], ["f1 is 0.8, less than 0.81 (--fail-under)"]),
        (["auroc=0.9"], ["ece=0.1", "p95=139.9"], [
            "abstention.auroc is 0.7, less than 0.9 (--fail-under)",
            "calibration.ece is 0.12, more than 0.1 (--fail-over)",
            "latency_ms.p95 is 140, more than 139.9 (--fail-over)",
        ]),
    ],
)  # fmt: skip
def test_what_is_not_met_is_said_with_the_figure(under: list[str], over: list[str], said: list[str]) -> None:
    assert unmet(MEASURES, parse_limits(under, over)) == said


def test_a_mean_that_is_the_limit_but_for_rounding_meets_it() -> None:
    mean = (0.7 + 0.8 + 0.9) / 3
    assert mean < 0.8
    assert unmet({"f1": mean}, parse_limits(["f1=0.8"], [])) == []


@pytest.mark.parametrize(
    ("under", "over", "message"),
    [
        (["f2=0.8"], [], "'f2' is no measure: give one of questions, answerable, exact_match, f1, "),
        ([], ["f2=0.8"], "'f2' is no measure: give one of abstention.false_answer_rate, calibration.ece, "),
        (["f1"], [], "--fail-under 'f1' is not NAME=VALUE, such as f1=0.80"),
        (["f1=high"], [], "'f1=high' is not NAME=VALUE"),
        (["f1=nan"], [], "'f1=nan' is not NAME=VALUE"),
        (["=0.5"], [], "'=0.5' is not NAME=VALUE"),
        (["f1=80"], [], "f1 is from 0 to 1, so 80 is no limit for it"),
        (["ece=0.1"], [], "calibration.ece is better the lower it is: say --fail-over ece=0.1"),
        ([], ["auroc=0.9"], "abstention.auroc is better the higher it is: say --fail-under auroc=0.9"),
    ],
)
def test_a_limit_that_is_none_is_refused_with_the_way_out(under: list[str], over: list[str], message: str) -> None:
    with pytest.raises(EpiQAError) as raised:
        parse_limits(under, over)
    assert message in str(raised.value)


def test_a_measure_that_does_not_apply_cannot_meet_a_limit() -> None:
    with pytest.raises(
        EpiQAError, match=r"ndcg@10 does not apply .* these do: f1, abstention.auroc, calibration.ece"
    ):
        unmet(MEASURES, parse_limits(["ndcg@10=0.1"], []))


ANSWERABLE = Question("Who?", ("Tan",), document="a.txt")
PLACELESS = Question("Who said so?", ("Tan",))
UNANSWERABLE = Question("Why?", ())


@pytest.mark.parametrize(
    ("questions", "mode", "impossible"),
    [
        ((ANSWERABLE, UNANSWERABLE), "open", ["ndcg@10=0.1"]),
        ((ANSWERABLE,), "open", ["ndcg@10=0.1", "no_answer_accuracy=0.1"]),
        ((PLACELESS, UNANSWERABLE), "open", ["document_accuracy=0.1"]),
        ((UNANSWERABLE,), "open", ["has_answer_f1=0.1", "recall@5=0.1", "mrr@10=0.1"]),
        ((ANSWERABLE, UNANSWERABLE), "reader", ["recall@5=0.1", "document_accuracy=0.1"]),
    ],
)
def test_what_questions_cannot_have_is_known_before_they_are_asked(
    questions: tuple[Question, ...], mode: str, impossible: list[str]
) -> None:
    asked = QuestionSet(questions)
    check_limits(parse_limits(["f1=0.5", "auroc=0.5"], ["ece=0.1", "seconds=9"]), asked, mode)
    for limit in impossible:
        with pytest.raises(EpiQAError, match=r"does not apply .* these do: questions, answerable, exact_match"):
            check_limits(parse_limits([limit], []), asked, mode)


def test_what_a_retrieval_set_cannot_have_is_known_before_it_is_asked() -> None:
    asked = RetrievalSet(queries={"1": "who"}, qrels={"1": {"a": 1.0}}, documents=())
    check_limits(parse_limits(["ndcg@10=0.5", "recall@20=0.5"], ["p95=9"]), asked, "open")
    with pytest.raises(EpiQAError, match=r"f1 does not apply .* these do: questions, recall@1"):
        check_limits(parse_limits(["f1=0.5"], []), asked, "open")
