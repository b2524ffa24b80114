"""Confidence: the features, the fit against a known optimum, the threshold, and calibrations in files."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from epiqa.answering.calibration import (
    FEATURES,
    Calibration,
    bundled_calibration,
    choose_threshold,
    features,
    fit,
    read_calibration,
    write_calibration,
)
from epiqa.errors import EpiQAError, IndexDamagedError
from epiqa.types import Passage, Span
from fakes import make_passage

CALIBRATION = Calibration(-1.0, dict.fromkeys(FEATURES, 0.5), threshold=0.4, reader="r@1")


def make_span(passage: Passage, *, margin: float, probability: float = 0.5) -> Span:
    return Span(passage, passage.start, passage.end, passage.quote, margin + 1.0, 1.0, probability)


def random_rows(count: int, seed: int = 0) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float64]], list[bool]]:
    """Makes rows of features of unlike scales, right as a logistic model would have it."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(count, len(FEATURES))) * np.linspace(0.1, 20.0, len(FEATURES))
    chances = 1 / (1 + np.exp(1.0 - values @ (1 / np.linspace(0.1, 20.0, len(FEATURES)))))
    return values, (generator.random(count) < chances).tolist()


def test_confidence_is_the_logistic_of_the_weighted_features() -> None:
    values = np.array([[0.0] * len(FEATURES), [2.0] * len(FEATURES), [9e9] * len(FEATURES), [-9e9] * len(FEATURES)])
    expected = [1 / (1 + np.e), 1 / (1 + np.exp(1.0 - len(FEATURES))), 1.0, 0.0]
    assert CALIBRATION.confidences(values) == pytest.approx(expected)
    assert CALIBRATION.confidences(features([], [])).tolist() == []


def test_features_of_spans() -> None:
    first, second = replace(make_passage("One."), score=0.9), replace(make_passage("Two.", start=9), score=0.7)
    spans = [make_span(second, margin=3.0), make_span(first, margin=-2.0, probability=0.0)]
    found = features(spans, [first, second])
    by_name = {name: found[:, column].tolist() for column, name in enumerate(FEATURES)}
    assert by_name["margin"] == [3.0, -2.0]
    assert by_name["log_probability"] == pytest.approx([np.log(0.5), np.log(1e-6)])
    assert by_name["log_rank"] == pytest.approx([np.log(2), 0.0])
    assert by_name["first_margin"] == [3.0, -2.0]
    looked_at_twice = replace(spans[0], first_margin=7.0)
    assert features([looked_at_twice], [first, second])[0, FEATURES.index("first_margin")] == 7.0


def test_passages_that_were_not_ranked_are_all_first() -> None:
    passages = [make_passage("One."), make_passage("Two.", start=9)]
    found = features([make_span(passage, margin=1.0) for passage in passages], passages)
    assert found[:, FEATURES.index("log_rank")].tolist() == [0.0, 0.0]


def test_the_fit_is_the_optimum_that_another_library_finds() -> None:
    values, right = random_rows(500)
    importance = np.random.default_rng(1).random(500)
    intercept, weights = fit(values, right, importance, prior=1e-9)
    reference = LogisticRegression(C=1e9, tol=1e-10, max_iter=10_000).fit(values, right, importance)
    assert intercept == pytest.approx(float(reference.intercept_[0]), rel=1e-3)
    assert list(weights.values()) == pytest.approx(reference.coef_[0].tolist(), rel=1e-3)


def test_few_questions_leave_a_calibration_about_where_it_was_and_many_move_it() -> None:
    few, many = (fit(*random_rows(count), start=CALIBRATION, prior=10.0) for count in (4, 4000))
    free = fit(*random_rows(4000))
    name = FEATURES[0]
    assert abs(few[1][name] - CALIBRATION.weights[name]) < 0.2 * abs(free[1][name] - CALIBRATION.weights[name])
    assert abs(many[1][name] - free[1][name]) < 0.2 * abs(free[1][name] - CALIBRATION.weights[name])


@pytest.mark.parametrize("right", [[True] * 6, [False] * 6])
def test_a_fit_to_what_is_all_right_or_all_wrong_stays_finite(right: list[bool]) -> None:
    intercept, weights = fit(random_rows(6)[0], right)
    assert np.isfinite([intercept, *weights.values()]).all()


@pytest.mark.parametrize("seed", range(20))
def test_the_fit_converges_where_the_features_are_far_from_zero(seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = generator.normal(40.0, 5.0, size=(100, len(FEATURES)))
    right = generator.random(100) < 0.3
    intercept, weights = fit(values, right, start=CALIBRATION, prior=10.0)
    moved = Calibration(intercept, weights, 0.5, "")
    assert moved.confidences(values).mean() == pytest.approx(right.mean(), abs=0.15)


def test_a_fit_to_features_that_never_change_stays_finite() -> None:
    intercept, weights = fit(np.ones((6, len(FEATURES))), [True, False] * 3)
    assert np.isfinite([intercept, *weights.values()]).all()


@pytest.mark.parametrize(
    ("confidences", "share", "threshold"),
    [
        ([0.1, 0.2, 0.3, 0.4], 0.25, 0.305),
        ([0.1, 0.2, 0.3, 0.4], 0.0, 0.405),
        ([0.1, 0.2, 0.3, 0.4], 1.0, 0.0),
        ([0.7] * 10, 0.1, 0.705),
        ([1.0], 0.1, 1.0),
    ],
)
def test_the_threshold_is_the_lowest_that_lets_few_through(
    confidences: list[float], share: float, threshold: float
) -> None:
    assert choose_threshold(confidences, max_false_answers=share) == threshold


def test_sets_count_alike_when_the_threshold_is_chosen() -> None:
    assert choose_threshold([0.1] * 99 + [0.9], [0.5, 0.2], max_false_answers=0.26) == 0.205


def test_a_calibration_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    assert read_calibration(path) is None
    write_calibration(CALIBRATION, path)
    write_calibration(CALIBRATION, path)
    assert read_calibration(path) == CALIBRATION
    assert [p.name for p in tmp_path.iterdir()] == ["calibration.json"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        json.dumps({"intercept": 0, "weights": {"margin": 1}, "threshold": 0.5, "reader": "r"}).encode(),
        CALIBRATION.to_json().replace("-1.0", "NaN").encode(),
        CALIBRATION.to_json().replace("-1.0", '"x"').encode(),
        CALIBRATION.to_json().replace("-1.0", "null").encode(),
        CALIBRATION.to_json().replace("0.4", "5").encode(),
        CALIBRATION.to_json().replace("0.4", "1" + "0" * 400).encode(),
        b"[" * 200_000,
    ],
)
def test_a_file_that_is_no_calibration_is_named_with_the_way_out(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "calibration.json"
    path.write_bytes(content)
    with pytest.raises(IndexDamagedError, match=r"calibration\.json is not a calibration .*: delete it"):
        read_calibration(path)


def test_writers_do_not_get_in_each_others_way(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    write_calibration(CALIBRATION, path)

    def write(number: int) -> bool:
        write_calibration(replace(CALIBRATION, threshold=number / 100), path)
        return read_calibration(path) is not None

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(write, range(80)))
    assert [p.name for p in tmp_path.iterdir()] == ["calibration.json"]


def test_a_folder_in_its_place_is_an_error_and_nothing_is_left_behind(tmp_path: Path) -> None:
    (tmp_path / "calibration.json").mkdir()
    with pytest.raises(EpiQAError, match="cannot be written"):
        write_calibration(CALIBRATION, tmp_path / "calibration.json")
    assert [p.name for p in tmp_path.iterdir()] == ["calibration.json"]


def test_a_calibration_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EpiQAError, match="cannot be written"):
        write_calibration(CALIBRATION, tmp_path / "none" / "calibration.json")


def test_the_bundled_calibration_trusts_what_speaks_for_an_answer() -> None:
    calibration = bundled_calibration()
    assert 0 < calibration.threshold < 1
    best, other = make_passage("The mayor spoke."), make_passage("Nothing.", start=50)
    best, other = replace(best, score=0.9), replace(other, score=0.1)
    strong = [make_span(best, margin=12.0, probability=0.9), make_span(other, margin=-9.0, probability=0.01)]
    weak = [make_span(best, margin=-9.0, probability=0.01), make_span(other, margin=-10.0, probability=0.01)]
    assert calibration.confidences(features(weak, [best, other]))[0] < calibration.threshold
    assert calibration.confidences(features(strong, [best, other]))[0] > calibration.threshold
