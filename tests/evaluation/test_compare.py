"""Comparisons with an earlier run: differences, significance against exact enumeration, and pairing."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epiqa.errors import EpiQAError
from epiqa.evaluation import metrics
from epiqa.evaluation.compare import (
    Difference,
    changed_settings,
    check_baseline,
    compare,
    read_baseline,
    shared_rows,
)
from epiqa.evaluation.export import as_json
from epiqa.evaluation.outcomes import Evaluation
from epiqa.evaluation.questions import Question, QuestionSet, RetrievalSet
from fake_outcomes import make_evaluation, make_outcome, make_query, make_retrieval


def written(evaluation: Evaluation) -> dict[str, Any]:
    """Returns what a later run reads of an evaluation."""
    content = json.loads(as_json(evaluation))
    assert isinstance(content, dict)
    return content


def differences(before: Evaluation, after: Evaluation) -> dict[str, Difference]:
    return {each.name: each for each in compare(after, written(before))}


def of_f1(values: Sequence[float]) -> Evaluation:
    return make_evaluation([make_outcome(number, f1) for number, f1 in enumerate(values)])


BEFORE = [1.0, 0.5, 0.0, 1.0, 0.25, 0.0, 0.5, 1.0, 0.0, 0.5]
AFTER = [1.0, 1.0, 0.5, 1.0, 1.0, 0.75, 0.0, 1.0, 1.0, 0.25]


def test_the_difference_of_a_mean_and_its_significance() -> None:
    found = differences(of_f1(BEFORE), of_f1(AFTER))["f1"]
    assert (found.before, found.after) == (0.475, 0.75)
    deltas = np.subtract(AFTER, BEFORE)
    signs = np.array(list(itertools.product([-1, 1], repeat=len(deltas))))
    exact = float((np.abs(signs @ deltas) >= abs(deltas.sum()) - 1e-9).mean())
    assert 0.1 < exact < 0.25
    assert found.p_value == pytest.approx(exact, abs=0.015)
    # The bootstrap's standard error is that of the mean.
    error = deltas.std() / np.sqrt(len(deltas))
    assert (found.low, found.high) == pytest.approx((0.275 - 1.96 * error, 0.275 + 1.96 * error), abs=0.04)


def test_the_significance_of_a_measure_of_the_confidence() -> None:
    right = [True, True, False, True, False, False, True, False]
    old = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1]
    new = [0.9, 0.8, 0.3, 0.3, 0.2, 0.2, 0.7, 0.1]
    runs = [
        make_evaluation(
            [make_outcome(number, float(right[number]), confidence=c) for number, c in enumerate(confidences)]
        )
        for confidences in (old, new)
    ]
    found = differences(*runs)["abstention.auroc"]
    assert (found.before, found.after) == (10 / 16, 15.5 / 16)
    observed = found.after - found.before
    deals = []
    for is_swapped in itertools.product([False, True], repeat=len(right)):
        one = [b if swap else a for a, b, swap in zip(old, new, is_swapped, strict=True)]
        other = [a if swap else b for a, b, swap in zip(old, new, is_swapped, strict=True)]
        deals.append((metrics.auroc(other, right) or 0.0) - (metrics.auroc(one, right) or 0.0))
    exact = float((np.abs(deals) >= observed - 1e-9).mean())
    assert 0 < exact < 0.3
    assert found.p_value == pytest.approx(exact, abs=0.04)


def test_a_run_does_not_differ_from_itself() -> None:
    evaluation = make_evaluation(
        [make_outcome(n, n % 3 / 2, golds=("Ann",) * (n % 4 > 0), confidence=n / 30) for n in range(30)]
    )
    found = compare(evaluation, written(evaluation))
    assert len(found) == 15
    for each in found:
        assert each.before == each.after == pytest.approx(each.before)
        assert (each.low, each.high, each.p_value) == (0.0, 0.0, 1.0)


def test_a_clear_difference_is_significant_and_the_same_each_time() -> None:
    before, after = of_f1([0.0] * 15 + [1.0] * 15), of_f1([1.0] * 30)
    found = differences(before, after)
    assert (found["f1"].before, found["f1"].after) == (0.5, 1.0)
    assert found["f1"].p_value < 0.001
    assert (found["f1"].low, found["f1"].high) == pytest.approx((0.3, 0.7), abs=0.04)  # of Binomial(30, 0.5)
    assert differences(before, after) == found


def test_queries_are_compared_by_their_measures() -> None:
    before = make_retrieval([make_query(str(n), [("x", 2.0), ("d", 1.0)], {"d": 1.0}) for n in range(8)])
    after = make_retrieval([make_query(str(n), [("d", 2.0), ("x", 1.0)], {"d": 1.0}) for n in range(8)])
    found = differences(before, after)
    assert list(found) == ["recall@1", "recall@5", "recall@20", "mrr@10", "ndcg@10"]
    assert (found["mrr@10"].before, found["mrr@10"].after) == (0.5, 1.0)
    assert found["mrr@10"].p_value == pytest.approx(2 / 2**8, abs=0.004)


def test_questions_are_paired_by_id_and_text_wherever_they_stand() -> None:
    before = make_evaluation([make_outcome(n, 0.0, question=f"Who is {n}?") for n in range(30)])
    after = [make_outcome(n, 1.0, question=f"Who is {n}?") for n in range(40)]
    after[0] = make_outcome(0, 0.0, question="Who was 0?")
    evaluation = make_evaluation(after[::-1])
    old, new = shared_rows(evaluation, written(before))
    assert [row["id"] for row in old] == [row["id"] for row in new] == [str(n) for n in range(29, 0, -1)]
    found = {each.name: each for each in compare(evaluation, written(before))}
    assert (found["f1"].before, found["f1"].after) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("shared", "asked", "is_enough"),
    [(20, 100, True), (19, 100, False), (5, 5, True), (4, 5, False), (0, 3, False)],
)
def test_twenty_questions_must_be_shared_or_all(shared: int, asked: int, is_enough: bool) -> None:
    before = written(make_evaluation([make_outcome(n) for n in range(shared)] or [make_outcome(999)]))
    after = make_evaluation([make_outcome(n) for n in range(asked)])
    asked_set = QuestionSet(tuple(outcome.question for outcome in after.outcomes))
    if is_enough:
        check_baseline(asked_set, before)
        assert compare(after, before)
        return
    message = f"of the {asked} asked here, {shared} are among its {max(1, shared)} by id and text"
    for use in (lambda: check_baseline(asked_set, before), lambda: compare(after, before)):
        with pytest.raises(EpiQAError, match=message):
            use()


def test_queries_are_not_paired_with_questions() -> None:
    before = written(make_retrieval([make_query("1", [("d", 1.0)], {"d": 1.0}, query="Who?")]))
    check_baseline(RetrievalSet((), {"1": "Who?"}, {}), before)
    with pytest.raises(EpiQAError, match="other questions"):
        check_baseline(QuestionSet((Question("Who?", (), id="1"),)), before)


def test_a_baseline_is_read_back(tmp_path: Path) -> None:
    evaluation = make_evaluation([make_outcome(1, 0.5, question="谁？ \ud800")])
    path = tmp_path / "old.json"
    path.write_text(as_json(evaluation), encoding="utf-8", errors="backslashreplace")
    assert shared_rows(evaluation, read_baseline(path))[0][0]["f1"] == 0.5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"cannot be read .No such file"),
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b'{"f1": 0.5}', 'has no rows of questions ."per_question".: make it anew with epiqa evaluate --json'),
        (b'{"per_question": []}', "has no rows of questions"),
        (b'{"per_question": [3]}', "has no rows of questions"),
        (b"[]", "has no rows of questions"),
        (b'{"per_question": [{"id": "1", "question": "Who?"}]}', "not as this version writes them .KeyError"),
        (b'{"per_question": [{"id": "1", "query": "x", "recall@1": "y"}]}', "not as this version writes them"),
    ],
)
def test_a_baseline_that_cannot_be_compared_with(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "old.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EpiQAError, match=message) as raised:
        read_baseline(path)
    assert str(path) in str(raised.value)


def test_settings_that_changed_are_named() -> None:
    evaluation = replace(of_f1([1.0]), settings={"mode": "open", "index": {"chunks": 18}, "reader": "b"})
    before = {"settings": {"mode": "open", "index": {"chunks": 17}, "top_k": 8}}
    assert changed_settings(evaluation, before) == [
        ("index.chunks", "17", "18"),
        ("reader", "none", "b"),
        ("top_k", "8", "none"),
    ]
    assert changed_settings(evaluation, {"settings": evaluation.settings}) == []
