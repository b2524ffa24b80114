"""Evaluations with fakes, to the figure, and with the bundled models on a few questions."""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import ir_measures
import pytest
from ir_measures import RR, R, nDCG

from epiqa.answering.calibration import FEATURES, Calibration
from epiqa.assistant import TOP_K, EpiQA
from epiqa.errors import IndexMissingError, QuestionSetError
from epiqa.evaluation import Evaluation, Outcome, evaluate, flat_measures
from epiqa.evaluation.export import as_json
from epiqa.evaluation.measures import ALL_MEASURES, LOWER_IS_BETTER, answer_measures, flat_values
from epiqa.evaluation.outcomes import per_question, verdict
from epiqa.evaluation.questions import Question, QuestionSet, RetrievalSet
from epiqa.evaluation.run import Mode, holds_answer, retrieval_measures
from epiqa.evaluation.settings import question_set_settings
from epiqa.search.retriever import Method
from epiqa.sync.operations import add_documents, add_paths
from epiqa.sync.options import UpdateOptions
from epiqa.text.sentences import content_words
from epiqa.types import Answer, Candidate, Citation, Passage, Span
from fakes import KeywordReader, WordEmbedder, make_document, make_passage

CALIBRATION = Calibration(0.0, dict.fromkeys(FEATURES, 0.0) | {"margin": 1.0}, threshold=0.5, reader="")
ALL, MOST, NONE = (1 / (1 + math.exp(-logit)) for logit in (2, 2 / 3, -2))

# The measures of the design but "ndcg@10", which needs graded documents.
ANSWER_MEASURES = {
    *("questions", "answerable", "exact_match", "f1", "has_answer_f1", "no_answer_accuracy"),
    *("recall@1", "recall@5", "recall@20", "mrr@10", "citation.verbatim", "citation.document_accuracy"),
    *("abstention.auroc", "abstention.coverage@80", "abstention.coverage@90", "abstention.false_answer_rate"),
    *("calibration.ece", "calibration.brier", "latency_ms.p50", "latency_ms.p95", "seconds"),
}
RETRIEVAL_MEASURES = {
    *("questions", "recall@1", "recall@5", "recall@20", "mrr@10", "ndcg@10"),
    *("latency_ms.p50", "latency_ms.p95", "seconds"),
}

BUNDLED = "all-MiniLM-L6-v2-fake"  # whose index is opened without naming it again


class CoveringReader(KeywordReader):
    """Is as sure as the question's words stand in the passage: its margin is 2 if all do, -2 if none."""

    def read(self, question: str, passages: Sequence[Passage]) -> list[Span]:
        words = content_words(question)
        spans = []
        for span in super().read(question, passages):
            text = f"{span.passage.title} {span.passage.quote}".lower()
            share = sum(word in text for word in words) / len(words)
            spans.append(replace(span, score=4 * share - 2, null_score=0.0))
        return spans


@pytest.fixture
def _fake_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epiqa.models.embedder.load_embedder", lambda name: WordEmbedder(BUNDLED))
    monkeypatch.setattr("epiqa.text_qa.load_reader", lambda name: CoveringReader())
    for module in ("live_index", "text_qa"):
        monkeypatch.setattr(f"epiqa.{module}.bundled_calibration", lambda: CALIBRATION)


def names(evaluation: Evaluation) -> set[str]:
    return {name for name, _ in flat_measures(evaluation.measures)}


def write_jsonl(path: Path, *rows: tuple[str, list[str], str | None]) -> Path:
    lines = [{"question": q, "answers": a, "answerable": bool(a), "document": d} for q, a, d in rows]
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return path


def write_squad(path: Path, *paragraphs: tuple[str, list[tuple[str, str]]]) -> Path:
    """Writes paragraphs, each with questions and their answers; an empty answer makes it impossible."""
    content = [
        {
            "context": context,
            "qas": [
                {
                    "question": question,
                    "is_impossible": not text,
                    "answers": [{"text": text, "answer_start": context.index(text)}] if text else [],
                }
                for question, text in qas
            ],
        }
        for context, qas in paragraphs
    ]
    path.write_text(json.dumps({"data": [{"title": "Shore", "paragraphs": content}]}), encoding="utf-8")
    return path


def outcome(
    confidence: float,
    forced_f1: float,
    *,
    is_answered: bool = True,
    is_answerable: bool = True,
    path: str = "a.txt",
    verbatim: tuple[bool, ...] = (True,),
    hits: tuple[bool, ...] | None = None,
    latency_ms: float = 10.0,
) -> Outcome:
    """Makes an outcome whose gold answer, if any, is in a.txt; the answer cites `path`."""
    passage = make_passage("Ann", document_id=path.removesuffix(".txt"))
    citation = Citation(
        document_id=path,
        title="A title",
        path=passage.path,
        date=None,
        page=None,
        start=0,
        end=3,
        quote="Ann",
        before="",
        after="",
    )
    answer = Answer(
        question="Who?",
        is_answered=is_answered,
        text="Ann" if is_answered else None,
        confidence=confidence,
        citations=(citation,) if is_answered else (),
        candidates=(Candidate("Ann", confidence, (citation,)),),
        passages=(passage,),
    )
    score = (forced_f1 if is_answered else 0.0) if is_answerable else float(not is_answered)
    return Outcome(
        question=Question("Who?", ("Ann",) if is_answerable else (), document="a.txt" if is_answerable else None),
        answer=answer,
        exact_match=float(score == 1.0),
        f1=score,
        forced_f1=forced_f1,
        verbatim=verbatim if is_answered else (),
        hits=hits,
        latency_ms=latency_ms,
    )


def test_measures_of_hand_made_outcomes() -> None:
    measures = answer_measures(
        [
            outcome(0.9, 1.0, hits=(True, False), verbatim=(True, False), latency_ms=10),
            outcome(0.8, 0.5, hits=(False, False, False, False, False, True), latency_ms=20),
            outcome(0.6, 0.4, hits=(False,) * 10 + (True,), path="b.txt", latency_ms=30),
            outcome(0.2, 0.8, is_answered=False, hits=(False, True), latency_ms=40),
            outcome(0.7, 0.0, is_answerable=False, latency_ms=50),
            outcome(0.1, 0.0, is_answerable=False, is_answered=False, latency_ms=60),
            outcome(0.0, 0.0, is_answerable=False, is_answered=False, latency_ms=70),
        ]
    )
    means = {name: value for name, value in measures.items() if isinstance(value, float)}
    assert means == pytest.approx(
        {
            "exact_match": 3 / 7,
            "f1": (1.0 + 0.5 + 0.4 + 0.0 + 0.0 + 1.0 + 1.0) / 7,
            "has_answer_f1": (1.0 + 0.5 + 0.4 + 0.8) / 4,
            "no_answer_accuracy": 2 / 3,
            "recall@1": 1 / 4,
            "recall@5": 2 / 4,
            "recall@20": 1.0,
            "mrr@10": (1 + 1 / 6 + 0 + 1 / 2) / 4,
        }
    )
    assert (measures["questions"], measures["answerable"]) == (7, 4)
    assert measures["citation"] == pytest.approx({"verbatim": 4 / 5, "document_accuracy": 2 / 3})
    # Right are 0.9, 0.8 and the withheld 0.2; wrong are 0.7, 0.6, 0.1 and 0.0.
    assert measures["abstention"] == pytest.approx(
        {"auroc": 10 / 12, "coverage@80": 2 / 7, "coverage@90": 2 / 7, "false_answer_rate": 1 / 3}
    )
    assert measures["calibration"] == pytest.approx(
        {
            "ece": (0.1 + 0.2 + 0.7 + 0.6 + 0.8 + 0.1 + 0.0) / 7,
            "brier": (0.01 + 0.04 + 0.49 + 0.36 + 0.64 + 0.01 + 0.0) / 7,
        }
    )
    assert measures["latency_ms"] == {"p50": 40.0, "p95": 67.0}


@pytest.mark.parametrize(
    ("outcomes", "left_out"),
    [
        (
            [outcome(0.9, 1.0, hits=(True,)), outcome(0.8, 1.0, hits=(True,))],
            {"no_answer_accuracy", "abstention.false_answer_rate", "abstention.auroc"},
        ),
        (
            [outcome(0.1, 0.0, is_answerable=False, is_answered=False)],
            {
                *("has_answer_f1", "recall@1", "recall@5", "recall@20", "mrr@10"),
                *("citation.verbatim", "citation.document_accuracy", "abstention.auroc"),
            },
        ),
        (
            [outcome(0.9, 1.0), outcome(0.9, 0.0, is_answerable=False)],
            {"recall@1", "recall@5", "recall@20", "mrr@10", "citation.document_accuracy"},
        ),
    ],
    ids=["all answerable", "none answered", "places unknown"],
)
def test_a_measure_that_does_not_apply_is_left_out(outcomes: list[Outcome], left_out: set[str]) -> None:
    measures = answer_measures(outcomes)
    assert names(Evaluation(measures)) == ANSWER_MEASURES - left_out - {"seconds"}
    assert ("citation" in measures) == any(each.answer.is_answered for each in outcomes)


@pytest.mark.usefixtures("_fake_models")
def test_jsonl_is_asked_against_the_index(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "harbour.txt").write_text("Harbour budget\n\nThey met. answer: seven million", encoding="utf-8")
    (docs / "bridge.txt").write_text("Bridge opening\n\nIt rained. answer: Governor Tang", encoding="utf-8")
    add_paths([docs], tmp_path / "index")
    questions = write_jsonl(
        tmp_path / "set.jsonl",
        ("Harbour budget?", ["seven", "seven million"], "harbour.txt"),
        ("Bridge opening?", ["Tang"], str(docs / "bridge.txt")),  # F1 of "Governor Tang" is 2/3
        (
            "Harbour budget?",
            ["Governor Tang"],
            "bridge.txt",
        ),  # answered from the wrong document, the second is right
        ("Glacier melting?", ["seven million"], None),  # withheld; its best candidate is wrong
        ("Bridge opening toll?", [], None),  # answered all the same
        ("Volcano eruption?", [], None),
    )
    steps: list[tuple[int, int]] = []
    evaluation = evaluate(questions, index=tmp_path / "index", on_progress=lambda *step: steps.append(step))
    assert steps == [(done, 6) for done in range(7)]
    assert names(evaluation) == ANSWER_MEASURES
    measures = {key: value for key, value in evaluation.measures.items() if key not in ("latency_ms", "seconds")}
    assert measures.pop("citation") == {"verbatim": 1.0, "document_accuracy": pytest.approx(2 / 3)}
    assert measures.pop("abstention") == pytest.approx(
        {"auroc": 3.5 / 4, "coverage@80": 0.0, "coverage@90": 0.0, "false_answer_rate": 0.5}
    )
    assert measures.pop("calibration") == pytest.approx(
        {
            "ece": (abs(3 * ALL - 2) + MOST + 2 * NONE) / 6,
            "brier": (2 * (1 - ALL) ** 2 + ALL**2 + MOST**2 + 2 * NONE**2) / 6,
        }
    )
    assert measures == pytest.approx(
        {
            "questions": 6,
            "answerable": 4,
            "exact_match": (1 + 0 + 0 + 0 + 0 + 1) / 6,
            "f1": (1 + 2 / 3 + 0 + 0 + 0 + 1) / 6,
            "has_answer_f1": (1 + 2 / 3 + 0 + 0) / 4,
            "no_answer_accuracy": 0.5,
            "recall@1": 2 / 4,
            "recall@5": 1.0,
            "recall@20": 1.0,
            "mrr@10": (1 + 1 + 1 / 2 + 1 / 2) / 4,
        }
    )


def test_the_names_of_the_measures_are_known() -> None:
    assert set(ALL_MEASURES) == ANSWER_MEASURES | RETRIEVAL_MEASURES
    assert set(ALL_MEASURES) > LOWER_IS_BETTER


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (outcome(0.9, 0.5, hits=(True,)), "right"),
        (outcome(0.3, 0.5, is_answered=False, hits=(True,)), "wrongly abstained"),
        (outcome(0.9, 0.4, hits=(False, True)), "misread"),
        (outcome(0.3, 0.4, is_answered=False, hits=(False, True)), "misread"),
        (outcome(0.9, 0.0), "misread"),
        (outcome(0.9, 0.4, hits=(False, False)), "not retrieved"),
        (outcome(0.3, 0.0, is_answered=False, hits=()), "not retrieved"),
        (outcome(0.3, 0.0, is_answered=False, hits=(False,) * TOP_K + (True,)), "not retrieved"),
        (outcome(0.3, 0.0, is_answered=False, hits=(False,) * (TOP_K - 1) + (True,)), "misread"),
        (outcome(0.9, 0.0, is_answerable=False), "answered the unanswerable"),
        (outcome(0.1, 0.0, is_answerable=False, is_answered=False), "right to abstain"),
    ],
)
def test_the_verdict_says_what_to_mend(given: Outcome, said: str) -> None:
    assert verdict(given) == said


def two_documents(folder: Path) -> Path:
    docs = folder / "docs"
    docs.mkdir(exist_ok=True)
    (docs / "harbour.txt").write_text("Harbour budget\n\nThey met. answer: seven million", encoding="utf-8")
    (docs / "bridge.txt").write_text("Bridge opening\n\nIt rained. answer: Governor Tang", encoding="utf-8")
    return docs


@pytest.mark.usefixtures("_fake_models")
def test_the_settings_say_what_the_figures_depend_on(tmp_path: Path) -> None:
    docs = two_documents(tmp_path)
    add_paths([docs / "harbour.txt", docs / "bridge.txt"], tmp_path / "one")
    add_paths([docs / "bridge.txt"], tmp_path / "two")
    add_paths([docs / "harbour.txt"], tmp_path / "two")
    questions = write_jsonl(tmp_path / "set.jsonl", ("Harbour budget?", ["seven million"], "harbour.txt"))
    one, two = (evaluate(questions, index=tmp_path / name).settings for name in ("one", "two"))
    assert list(one) == [
        *("questions", "mode", "top_k", "reader", "calibration", "search", "embedder", "index", "versions")
    ]
    digest = hashlib.sha256(questions.read_bytes()).hexdigest()
    assert one["questions"] == {"name": "set.jsonl", "sha256": digest}
    assert (one["mode"], one["search"]["method"], one["top_k"]) == ("open", "fused", TOP_K)
    assert (one["reader"], one["embedder"]) == ("keywords", f"{BUNDLED}@64")
    assert one["calibration"]["threshold"] == 0.5
    assert list(one["versions"]) == ["epiqa", "python", "onnxruntime", "faiss", "numpy", "sqlite", "machine"]
    assert (one["index"]["generation"], one["index"]["documents"], one["index"]["chunks"]) == ("g000001", 2, 2)
    assert two["index"] == one["index"] | {"generation": "g000002"}
    (docs / "bridge.txt").write_text("Bridge opening\n\nanswer: Governor Wu", encoding="utf-8")
    add_paths([docs], tmp_path / "two")
    assert (
        evaluate(questions, index=tmp_path / "two").settings["index"]["fingerprint"] != one["index"]["fingerprint"]
    )
    squad = write_squad(tmp_path / "squad.json", ("Lighthouse keeper, answer: Tang", [("Keeper?", "Tang")]))
    assert list(evaluate(squad, mode="reader").settings) == [
        *("questions", "mode", "reader", "calibration", "versions")
    ]


def test_a_question_set_from_a_pipe_is_not_read_again(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert question_set_settings(tmp_path / "pipe") == {"name": "pipe", "sha256": None}


def test_without_a_document_any_passage_with_the_words_of_an_answer_counts() -> None:
    question = Question("When?", ("the 3 Wards", "!"))
    for quote, is_held in (
        ("In A: 3 wards; closed", True),
        ("the 13 wards", False),
        ("3 wardship", False),
        ("wards 3", False),
        ("!", False),
    ):
        assert holds_answer(make_passage(quote), question) is is_held
    assert not holds_answer(make_passage("the 3 Wards"), replace(question, document="b.txt"))


@pytest.mark.usefixtures("_fake_models")
def test_a_set_that_names_no_documents_tells_what_was_not_retrieved(tmp_path: Path) -> None:
    add_paths([two_documents(tmp_path)], tmp_path / "index")
    questions = write_jsonl(
        tmp_path / "set.jsonl",
        ("Harbour budget?", ["seven million"], None),
        ("Bridge opening?", ["a volcano of cheese"], None),
    )
    evaluation = evaluate(questions, index=tmp_path / "index")
    assert evaluation.measures["recall@1"] == 0.5
    assert "document_accuracy" not in evaluation.measures["citation"]
    assert [verdict(each) for each in evaluation.outcomes][1] == "not retrieved"


@pytest.mark.usefixtures("_fake_models")
def test_what_was_retrieved_is_kept_of_every_question(tmp_path: Path) -> None:
    add_paths([two_documents(tmp_path)], tmp_path / "index")
    questions = write_jsonl(
        tmp_path / "set.jsonl",
        ("Harbour budget?", ["seven million"], "harbour.txt"),
        ("Volcano eruption?", [], None),
        ("Bridge opening?", ["Governor Tang"], None),
    )
    evaluation = evaluate(questions, index=tmp_path / "index")
    assert [len(each.retrieved) for each in evaluation.outcomes] == [2, 2, 2]
    assert [each.hits for each in evaluation.outcomes] == [(True, False), None, (True, False)]
    for each in evaluation.outcomes:
        read = [(passage.path, passage.start, passage.end) for passage in each.answer.passages]
        assert [(passage.path, passage.start, passage.end) for passage in each.retrieved] == read
    rows = per_question(evaluation)
    assert [(row["id"], row["first_hit"]) for row in rows] == [("1", 1), ("2", None), ("3", 1)]
    assert set(evaluation.intervals) < set(flat_values(evaluation.measures))


@pytest.mark.usefixtures("_fake_models")
def test_invalid_lines_are_left_out_on_demand_and_named(tmp_path: Path) -> None:
    add_paths([two_documents(tmp_path)], tmp_path / "index")
    questions = write_jsonl(tmp_path / "set.jsonl", ("Harbour budget?", ["seven million"], "harbour.txt"))
    questions.write_text(questions.read_text("utf-8") + '\n{"question": 3}\n', encoding="utf-8")
    with pytest.raises(QuestionSetError, match="line 2"):
        evaluate(questions, index=tmp_path / "index")
    evaluation = evaluate(questions, index=tmp_path / "index", skip_invalid=True)
    assert evaluation.measures["questions"] == 1
    (skipped,) = evaluation.skipped
    assert "line 2" in skipped


@pytest.mark.usefixtures("_fake_models")
def test_the_questions_can_be_refused_before_any_is_asked(tmp_path: Path) -> None:
    questions = write_jsonl(tmp_path / "set.jsonl", ("Harbour budget?", ["seven million"], None))

    def check(given: QuestionSet | RetrievalSet) -> None:
        assert isinstance(given, QuestionSet)
        raise QuestionSetError(f"refused: {given.questions[0].question}")

    with pytest.raises(QuestionSetError, match=r"refused: Harbour budget\?"):
        evaluate(questions, index=tmp_path / "no-index", check=check)


def rain(days: range) -> str:
    return " ".join(f"Rain fell on day {day}." for day in days)


@pytest.mark.usefixtures("_fake_models")
def test_squad_in_both_modes(tmp_path: Path) -> None:
    # Two chunks: the first holds the words of the question and of its answer, the place is in the second.
    path = write_squad(
        tmp_path / "squad.json",
        (f"Lighthouse keeper, answer: Tang\n{rain(range(28))}", [("Volcano eruption?", "")]),
        (f"{rain(range(28, 54))} Then Tang left.", [("Lighthouse keeper?", "Tang")]),
    )
    opened = evaluate(path)
    assert names(opened) == ANSWER_MEASURES
    impossible, asked = opened.outcomes
    assert (impossible.exact_match, impossible.f1, impossible.hits) == (1.0, 1.0, None)
    assert impossible.answer.confidence == pytest.approx(NONE)
    assert (asked.answer.text, asked.exact_match, asked.verbatim) == ("Tang", 1.0, (True,))
    assert asked.answer.confidence == pytest.approx(ALL)
    assert asked.hits == (False, True)
    assert [opened.measures[f"recall@{k}"] for k in (1, 5, 20)] == [0.0, 1.0, 1.0]
    assert opened.measures["mrr@10"] == 0.5
    assert opened.measures["citation"] == {"verbatim": 1.0, "document_accuracy": 1.0}

    given = evaluate(path, mode="reader")
    impossible, asked = given.outcomes
    assert (impossible.exact_match, impossible.hits) == (1.0, None)
    assert [passage.quote for passage in asked.answer.passages] == [f"{rain(range(28, 54))} Then Tang left."]
    assert (asked.answer.is_answered, asked.exact_match, asked.f1, asked.forced_f1) == (False, 0.0, 0.0, 0.0)
    unanswered = {"recall@1", "recall@5", "recall@20", "mrr@10", "citation.verbatim", "citation.document_accuracy"}
    assert names(given) == ANSWER_MEASURES - unanswered - {"abstention.auroc"}
    assert given.measures["exact_match"] == 0.5


@pytest.mark.usefixtures("_fake_models")
def test_abstaining_without_any_candidate_is_no_right_candidate(tmp_path: Path) -> None:
    # The reader takes the first word, and of an article alone nothing is left to answer with.
    path = write_squad(tmp_path / "squad.json", ("The harbour.", [("Volcano?", ""), ("Harbour?", "harbour")]))
    evaluation = evaluate(path, mode="reader")
    assert [each.answer.candidates for each in evaluation.outcomes] == [(), ()]
    assert [each.f1 for each in evaluation.outcomes] == [1.0, 0.0]
    assert [each.is_right for each in evaluation.outcomes] == [False, False]
    assert evaluation.measures["calibration"] == {"ece": 0.0, "brier": 0.0}


@pytest.mark.usefixtures("_fake_models")
def test_beir_gives_retrieval_measures_alone(tmp_path: Path) -> None:
    texts = {"d1": "harbour budget", "d2": "bridge opening", "d3": "harbour bridge opening budget"}
    rows = [{"_id": name, "text": text} for name, text in texts.items()]
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "harbour budget"}', encoding="utf-8")
    (tmp_path / "qrels.tsv").write_text("q\td3\t2\nq\td1\t1\nq\tgone\t1\n", encoding="utf-8")
    evaluation = evaluate(tmp_path)
    assert names(evaluation) == RETRIEVAL_MEASURES
    assert evaluation.outcomes == ()
    (query,) = evaluation.queries
    assert (query.id, query.query, dict(query.relevant)) == ("q", "harbour budget", {"d3": 2, "d1": 1, "gone": 1})
    assert [document for document, _ in query.ranking] == ["d1", "d3", "d2"]
    scores = [score for _, score in query.ranking]
    assert scores == sorted(scores, reverse=True)
    assert flat_values(query.measures).items() <= flat_values(evaluation.measures).items()
    settings = evaluation.settings
    assert (settings["questions"]["name"], settings["top_k"], settings["index"]["documents"]) == (
        tmp_path.name,
        100,
        3,
    )
    (tmp_path / "result.json").write_text("{}", encoding="utf-8")
    assert evaluate(tmp_path).settings == settings
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "harbour"}', encoding="utf-8")
    assert evaluate(tmp_path).settings["questions"] != settings["questions"]
    measures = {key: value for key, value in evaluation.measures.items() if key not in ("latency_ms", "seconds")}
    # Found in the order d1, d3, d2; best would be d3, d1, gone. The one not in the corpus counts as missed.
    ideal = 2 + 1 / math.log2(3) + 1 / 2
    assert measures == pytest.approx(
        {
            "questions": 1,
            "recall@1": 1 / 3,
            "recall@5": 2 / 3,
            "recall@20": 2 / 3,
            "mrr@10": 1.0,
            "ndcg@10": (1 + 2 / math.log2(3)) / ideal,
        }
    )


@pytest.mark.parametrize("method", ["fused", "dense", "lexical"])
def test_retrieval_by_document_is_that_of_trec_eval(tmp_path: Path, method: Method) -> None:
    draw = random.Random(5)
    words = [
        f"{first}{second}"
        for first in ("har", "bri", "vol", "gla", "tol")
        for second in ("bour", "dge", "no", "er")
    ]
    documents = tuple(
        make_document(
            " ".join(f"{' '.join(draw.choices(words, k=9)).capitalize()}." for _ in range(draw.choice([1, 2, 60]))),
            path=f"d{number}",
        )
        for number in range(30)
    )
    queries = {f"q{number}": " ".join(draw.sample(words, 3)) for number in range(12)}
    qrels = {
        query: {f"d{number}": float(draw.randrange(1, 4)) for number in draw.sample(range(32), 9)}
        for query in queries
    }
    embedder = WordEmbedder()
    add_documents(documents, tmp_path, UpdateOptions(embedder=embedder))
    qa = EpiQA.open(tmp_path, embedder=embedder, reader=KeywordReader())
    assert qa.info.chunks > 2 * len(documents)
    run = []
    for query, text in queries.items():
        first: dict[str, int] = {}
        for rank, passage in enumerate(qa.search(text, top_k=100, method=method)):
            first.setdefault(passage.path, rank)
        run += [ir_measures.ScoredDoc(query, path, -rank) for path, rank in first.items()]
    expected = ir_measures.calc_aggregate(
        [R @ 1, R @ 5, R @ 20, RR @ 10, nDCG @ 10],
        [ir_measures.Qrel(query, path, int(grade)) for query in qrels for path, grade in qrels[query].items()],
        run,
    )
    measures = retrieval_measures(RetrievalSet(documents, queries, qrels), qa, method=method)
    assert measures.pop("questions") == 12
    measures.pop("latency_ms")
    assert measures == pytest.approx(
        {
            "recall@1": expected[R @ 1],
            "recall@5": expected[R @ 5],
            "recall@20": expected[R @ 20],
            "mrr@10": expected[RR @ 10],
            "ndcg@10": expected[nDCG @ 10],
        },
        abs=1e-6,
    )
    assert 0.05 < measures["ndcg@10"] < 0.95


def jsonl(folder: Path) -> Path:
    return write_jsonl(folder / "set.jsonl", ("Who?", ["Ann"], None))


def beir(folder: Path) -> Path:
    for name, text in {
        "corpus.jsonl": '{"_id": "d", "text": "x"}',
        "queries.jsonl": '{"_id": "q", "text": "x"}',
        "qrels.tsv": "q\td\t1",
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("make", "mode", "error", "named"),
    [
        (jsonl, "reader", QuestionSetError, "set.jsonl: --mode reader needs SQuAD JSON"),
        (beir, "reader", QuestionSetError, "a BEIR folder has no paragraphs to read"),
        (jsonl, "open", IndexMissingError, "no-index"),
    ],
)
@pytest.mark.usefixtures("_fake_models")
def test_a_set_that_cannot_be_asked_so_is_refused(
    tmp_path: Path, make: Callable[[Path], Path], mode: Mode, error: type[Exception], named: str
) -> None:
    with pytest.raises(error) as raised:
        evaluate(make(tmp_path), index=tmp_path / "no-index", mode=mode)
    assert named in str(raised.value)
    assert str(tmp_path) in str(raised.value)


LIBRARY = "The city library on Elm Street was opened on 4 May 1931 by Mayor Helen Ward. It holds 90,000 books."
FERRY = "The ferry to Gull Island leaves at 7:40 every morning. A ticket costs twelve crowns."
ASKED = [
    (LIBRARY, [("Who opened the city library?", "Mayor Helen Ward"), ("How many books does it hold?", "90,000")]),
    (FERRY, [("How much does a ticket for the ferry cost?", "twelve crowns"), ("Who won the chess final?", "")]),
]


@pytest.mark.parametrize("mode", ["open", "reader"])
def test_squad_with_the_bundled_models(tmp_path: Path, mode: Mode) -> None:
    evaluation = evaluate(write_squad(tmp_path / "tiny.json", *ASKED), mode=mode)
    assert [each.is_right for each in evaluation.outcomes] == [True, True, True, False]
    assert evaluation.measures["no_answer_accuracy"] == 1.0
    texts = {"open": [f"{LIBRARY}\n\n{FERRY}"] * 4, "reader": [LIBRARY, LIBRARY, FERRY, FERRY]}[mode]
    cited = [
        (text[citation.start : citation.end], citation.quote)
        for text, each in zip(texts, evaluation.outcomes, strict=True)
        for citation in each.answer.citations
    ]
    assert cited
    assert all(found == quote for found, quote in cited)
    assert evaluation.measures["citation"]["verbatim"] == 1.0


def without_times(evaluation: Evaluation) -> str:
    """Returns the JSON of an evaluation but for what tells the time."""
    content = json.loads(as_json(evaluation))
    del content["latency_ms"], content["seconds"]
    for row in content["per_question"]:
        del row["latency_ms"]
    return json.dumps(content)


@pytest.mark.usefixtures("_fake_models")
def test_two_runs_with_fakes_give_the_same_figures_to_the_last_digit(tmp_path: Path) -> None:
    path = write_squad(
        tmp_path / "squad.json",
        (f"Lighthouse keeper, answer: Tang\n{rain(range(28))}", [("Volcano eruption?", ""), ("Keeper?", "Tang")]),
        (f"{rain(range(28, 54))} Then Tang left.", [("Lighthouse keeper?", "Tang"), ("Day 30?", "Rain fell")]),
    )
    assert without_times(evaluate(path)) == without_times(evaluate(path))


def test_two_runs_with_the_bundled_models_give_the_same_figures_to_the_last_digit(tmp_path: Path) -> None:
    path = write_squad(tmp_path / "tiny.json", (LIBRARY, ASKED[0][1]), (FERRY, ASKED[1][1][:1]))
    first = evaluate(path)
    assert first.measures["questions"] == 3
    assert without_times(evaluate(path)) == without_times(first)


def test_jsonl_with_the_bundled_models(tmp_path: Path) -> None:
    (tmp_path / "library.txt").write_text(f"City library\n\n{LIBRARY}", encoding="utf-8")
    (tmp_path / "ferry.md").write_text(f"# Gull Island ferry\n\n{FERRY}", encoding="utf-8")
    add_paths([tmp_path / "library.txt", tmp_path / "ferry.md"], tmp_path / "index")
    path = write_jsonl(
        tmp_path / "set.jsonl",
        ("Who opened the city library?", ["Mayor Helen Ward", "Helen Ward"], "library.txt"),
        ("How much does a ticket for the ferry cost?", ["twelve crowns"], "ferry.md"),
        ("Who won the chess final?", [], None),
    )
    measures = evaluate(path, index=tmp_path / "index").measures
    assert (measures["f1"], measures["no_answer_accuracy"], measures["recall@1"], measures["mrr@10"]) == (
        1,
        1,
        1,
        1,
    )
    assert measures["citation"] == {"verbatim": 1.0, "document_accuracy": 1.0}
