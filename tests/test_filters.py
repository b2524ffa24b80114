"""Filters: what they keep, against plain Python; hostile names; and what a wrong one comes to."""

from __future__ import annotations

import calendar
import datetime
import random
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from epiqa.assistant import EpiQA
from epiqa.errors import FilterError
from epiqa.filters import EVERYTHING, Filter
from epiqa.search.retriever import Method
from epiqa.store.embedded import EmbeddedReader
from epiqa.sync.operations import add_documents
from epiqa.sync.options import UpdateOptions
from epiqa.types import Document, DocumentDate
from fakes import WordEmbedder, make_document

EMBEDDER = WordEmbedder(dimensions=16)
COMPOSED, APART = (unicodedata.normalize(form, "été.txt") for form in ("NFC", "NFD"))
METHODS: tuple[Method, ...] = get_args(Method)
NAMES = [
    "a.txt",
    "b[1].md",
    "c*d.txt",
    "e?f",
    "quo'te\".txt",
    "back\\xe9.txt",
    COMPOSED,
    APART,
    "A.TXT",
    "%_.txt",
    " ",
]
HOSTILE = ["' OR 1=1 --", '"; DROP TABLE documents; --', "') OR ('1'='1", "a\0b", "\ud800", "", "\n", "a" * 4096]
HOSTILE += '% _ {} ["a.txt"] ? [ [] [^ ] 😷 .. / \\ null id TRUE'.split()
WRONG_DAYS = ["", " ", "2022-02-03\0", "02-03; DROP TABLE documents", "2022-02-03 13:00", "February 3"]
WRONG_DAYS += "2022-13 2022-00-01 2023-02-29 1900-02-29 02-30 13-01 2022-2-30 22 2022-02-03x 2022/02/03 -1".split()
FOLDERS = ["", "x/", "x/y/", "/abs/x/", "../x/", "[z]/"]


def on(year: int | None, month: int, day: int) -> DocumentDate:
    return DocumentDate("as written", month, day, year)


def build(directory: Path, documents: Iterable[Document]) -> EpiQA:
    add_documents(documents, directory, UpdateOptions(embedder=EMBEDDER))
    return EpiQA.open(directory, embedder=EMBEDDER)


def dated(directory: Path, dates: dict[str, DocumentDate | None]) -> EpiQA:
    return build(directory, (replace(make_document("masks", path=path), date=date) for path, date in dates.items()))


def found(qa: EpiQA, within: Filter, method: Method = "fused") -> set[str]:
    """Returns the paths that a filtered search finds."""
    try:
        return {passage.path for passage in qa.search("masks", within=within, top_k=1000, method=method)}
    except FilterError:
        return set()


def random_documents(chooser: random.Random) -> list[Document]:
    documents = []
    for number, path in enumerate(folder + name for folder in FOLDERS for name in NAMES):
        year = chooser.choice([None, 2020, 2023, 2024])
        month = chooser.choice([1, 2, 2, 12])
        last = calendar.monthrange(year or 2024, month)[1]
        date = on(year, month, chooser.choice([1, 2, last - 1, last])) if chooser.random() < 0.8 else None
        documents.append(replace(make_document("masks", path=path), id=f"id{number}", date=date))
    return documents


def random_bound(chooser: random.Random) -> str | None:
    year, month = chooser.choice(["2020", "2023", "2024"]), chooser.choice(["01", "02", "12"])
    day = chooser.choice(["01", "02", "28"])
    return chooser.choice([None, year, f"{year}-{month}", f"{year}-{month}-{day}", f"{month}-{day}"])


def bound_holds(date: DocumentDate | None, bound: str | None, *, is_first: bool) -> bool:
    """Returns whether a date is on the right side of a bound, by comparing `datetime.date`s."""
    if bound is None:
        return True
    if date is None:
        return False
    parts = [int(part) for part in bound.split("-")]
    if len(bound) == len("02-03"):
        first = last = datetime.date(2024, *parts)
        day = datetime.date(2024, date.month, date.day)
    elif date.year is None:
        return False
    else:
        months = parts[1:2] or [1, 12]
        first = datetime.date(parts[0], months[0], *(parts[2:] or [1]))
        last = datetime.date(parts[0], months[-1], *(parts[2:] or [calendar.monthrange(parts[0], months[-1])[1]]))
        day = datetime.date(date.year, date.month, date.day)
    return day >= first if is_first else day <= last


def range_holds(date: DocumentDate | None, since: str | None, until: str | None) -> bool:
    """Returns whether a date is between two bounds; of two days of any year, the later one first, over new year."""
    held = [bound_holds(date, since, is_first=True), bound_holds(date, until, is_first=False)]
    is_over = since is not None and until is not None and len(since) == len(until) == len("02-03") and since > until
    return any(held) if is_over else all(held)


def is_named(document: Document, names: Iterable[str]) -> bool:
    own = {document.id, document.path, document.path.rsplit("/", 1)[-1]}
    return bool({composed(name) for name in own} & {composed(name) for name in names})


def composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def pattern_fits(path: str, pattern: str) -> bool:
    """Returns whether a pattern stands for a path or its end, by translating it to a regular expression."""
    expression = ""
    for wildcard, is_not, letters, other in re.findall(r"([*?])|\[(\^?)([^]]+)\]|(.)", pattern, re.DOTALL):
        one_of = f"[{is_not}{re.escape(letters)}]" if letters else re.escape(other)
        expression += {"*": ".*", "?": "."}.get(wildcard, one_of)
    return re.fullmatch(f"(?:.*/)?{expression}", path, re.DOTALL) is not None


def test_a_filter_keeps_what_plain_python_keeps(tmp_path: Path) -> None:
    chooser = random.Random(11)
    documents = random_documents(chooser)
    qa = build(tmp_path, documents)
    index = EmbeddedReader.open(tmp_path)
    sizes = set()
    patterns = [
        "*",
        "x/*",
        "*.txt",
        "?.txt",
        "[ac]*",
        "[^a]*.txt",
        "y/*",
        "b[[]1].md",
        "c[*]d.txt",
        "e[?]f",
        "x",
        "",
    ]
    for _ in range(250):
        names = chooser.sample([name for d in documents for name in (d.id, d.path, d.path.rsplit("/", 1)[-1])], 3)
        try:
            within = Filter(
                documents=tuple(names[: chooser.choice([0, 0, 1, 3])]),
                paths=tuple(chooser.sample(patterns, chooser.choice([0, 0, 1, 2]))),
                since=random_bound(chooser),
                until=random_bound(chooser),
            )
        except FilterError:
            continue
        kept = {
            d.path
            for d in documents
            if (not within.documents or is_named(d, within.documents))
            and (not within.paths or any(pattern_fits(d.path, pattern) for pattern in within.paths))
            and range_holds(d.date, within.since, within.until)
        }
        assert index.count_documents(within) == len(kept), within
        for method in METHODS:
            assert found(qa, within, method) == kept, within
        sizes.add(len(kept))
    assert len(sizes) > 10
    index.close()


def test_a_filtered_search_still_returns_top_k(tmp_path: Path) -> None:
    loud = [make_document("masks masks masks", path=f"loud/{n}.txt") for n in range(300)]
    quiet = [make_document(f"one of {n} long lines about masks", path=f"quiet/{n}.txt") for n in range(30)]
    qa = build(tmp_path, [*loud, *quiet])
    assert all(passage.path.startswith("loud/") for passage in qa.search("masks", top_k=30))
    for method in METHODS:
        passages = qa.search("masks", top_k=20, within=Filter(paths=("quiet/*",)), method=method)
        assert len({passage.path for passage in passages}) == 20
        assert all(passage.path.startswith("quiet/") for passage in passages)


DATES = {
    "none": None,
    "feb28": on(2023, 2, 28),
    "feb29": on(2024, 2, 29),
    "mar1": on(2024, 3, 1),
    "dec31": on(2023, 12, 31),
    "jan1": on(2024, 1, 1),
    "yearless29": on(None, 2, 29),
    "yearless3": on(None, 2, 3),
}


@pytest.mark.parametrize(
    ("since", "until", "paths"),
    [
        ("2024-02-29", "2024-02-29", {"feb29"}),
        ("2024-02", "2024-02", {"feb29"}),
        ("2023-02", "2023-02", {"feb28"}),
        ("2024", None, {"feb29", "mar1", "jan1"}),
        (None, "2023", {"feb28", "dec31"}),
        ("2023-12-31", "2024-01-01", {"dec31", "jan1"}),
        ("02-29", "02-29", {"feb29", "yearless29"}),
        ("--02-03", "--02-28", {"feb28", "yearless3"}),
        ("12-01", None, {"dec31"}),
        ("12-20", "01-10", {"dec31", "jan1"}),
        ("12-31", "02-03", {"dec31", "jan1", "yearless3"}),
        ("03-01", "02-28", set(DATES) - {"none", "feb29", "yearless29"}),
        ("12-31", "12-30", set(DATES) - {"none"}),
        ("2024", "02-29", {"feb29", "jan1"}),
        ("02-01", "2023", {"feb28", "dec31"}),
        (" 2024-3 ", None, {"mar1"}),
        ("0001", "9999", {"feb28", "feb29", "mar1", "dec31", "jan1"}),
        ("01-01", "12-31", set(DATES) - {"none"}),
    ],
)
def test_date_ranges(tmp_path: Path, since: str | None, until: str | None, paths: set[str]) -> None:
    assert found(dated(tmp_path, DATES), Filter(since=since, until=until)) == paths


@pytest.mark.parametrize("day", WRONG_DAYS)
@pytest.mark.parametrize("bound", ["since", "until"])
def test_an_invalid_day_is_named_with_the_way_out(bound: str, day: str) -> None:
    with pytest.raises(FilterError, match="not a day: give one as 2022-02-03") as caught:
        Filter(**{bound: day})  # type: ignore[arg-type]
    assert str(caught.value).startswith(f"{bound} is {day!r}")
    assert caught.value.exit_code == 2


def test_leap_days_that_are(tmp_path: Path) -> None:
    for day in ("2024-02-29", "2000-02-29", "02-29"):
        assert Filter(since=day).first_day == Filter(until=day).last_day


@pytest.mark.parametrize(
    ("since", "until"), [("2023", "2022"), ("2022-02-04", "2022-02-03"), ("2022-03", "2022-02")]
)
def test_a_range_the_wrong_way_round(since: str, until: str) -> None:
    with pytest.raises(FilterError, match=f"since {since} is after until {until}: exchange them"):
        Filter(since=since, until=until)


def test_names_are_compared_to_the_letter_but_for_accents_and_detours(tmp_path: Path) -> None:
    paths = ["seeds/a.txt", "b/a.txt", f"u/{COMPOSED}", f"v/{APART}", "w/caf\\xe9.txt", "a%.txt", "ab.txt", "A.txt"]
    qa = build(tmp_path, [make_document("masks", path=path) for path in paths])
    for name, expected in {
        "a.txt": {"seeds/a.txt", "b/a.txt"},
        "./seeds/a.txt": {"seeds/a.txt"},
        "seeds//b/../a.txt": {"seeds/a.txt"},
        "eeds/a.txt": set(),
        "seeds": set(),
        "a%.txt": {"a%.txt"},
        COMPOSED: {f"u/{COMPOSED}", f"v/{APART}"},
        APART: {f"u/{COMPOSED}", f"v/{APART}"},
        "caf\udce9.txt": {"w/caf\\xe9.txt"},  # how the shell hands on a byte that is not UTF-8
        "ab.txt\0": set(),
        "ab.txt\0.txt": set(),
        "*.txt": set(),
    }.items():
        assert found(qa, Filter(documents=(name,))) == expected, name
    assert found(qa, Filter(paths=(f"*/{APART[:2]}*",))) == {f"u/{COMPOSED}", f"v/{APART}"}
    assert found(qa, Filter(paths=("./seeds/*",))) == {"seeds/a.txt"}
    assert found(qa, Filter(paths=("caf\udce9.*",))) == {"w/caf\\xe9.txt"}
    assert found(qa, Filter(paths=("ab?.txt", "ab\udce9txt", "ab.txt\0"))) == set()


@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
def test_hostile_names_find_nothing_and_harm_nothing(tmp_path: Path, hostile: str) -> None:
    qa = build(tmp_path, [make_document("masks", path=path) for path in ("a.txt", "b/c.txt")])
    with pytest.raises(FilterError) as caught:
        qa.search("masks", within=Filter(documents=(hostile,)))
    assert str(caught.value) == f"there is no document {hostile!r} in the index: see epiqa documents list"
    with pytest.raises(FilterError, match=r"(?s)^no document meets --path .*: see epiqa documents list"):
        qa.search("masks", within=Filter(paths=(hostile,)))
    assert found(qa, EVERYTHING) == {"a.txt", "b/c.txt"}


def test_more_names_and_patterns_than_a_statement_has_variables(tmp_path: Path) -> None:
    qa = build(tmp_path, [make_document("masks", path=f"{n}.txt") for n in range(500)])
    many = tuple(f"{n}.txt" for n in range(0, 500, 2)) * 200
    assert len(many) == 50_000
    assert found(qa, Filter(documents=many)) == set(many)
    patterns = tuple(f"?{n}.txt" for n in range(5000))
    assert (
        len(found(qa, Filter(paths=patterns))) == 450
    )  # 10 to 99, and 110 to 499 but for those with a 0 in the middle
    with pytest.raises(FilterError, match=r"there is no document '500\.txt' in the index"):
        qa.search("masks", within=Filter(documents=(*many, "500.txt", "501.txt")))


def test_a_pattern_of_many_stars_is_quick_and_too_long_a_one_is_refused(tmp_path: Path) -> None:
    qa = build(tmp_path, [make_document("masks", path="a" * 200)])
    assert found(qa, Filter(paths=("*a" * 60 + "b",))) == set()
    with pytest.raises(
        FilterError, match=r"the path pattern '\*+'… has 4097 characters, more than 4096: shorten it"
    ):
        Filter(paths=("*" * 4097,))


def test_conditions_that_no_document_meets_together_are_named(tmp_path: Path) -> None:
    qa = dated(tmp_path, {"a b.txt": None, "c.txt": on(2022, 2, 3), "d.txt": None, "e.txt": None, "f.txt": None})
    with pytest.raises(FilterError) as caught:
        qa.ask("masks?", within=Filter(documents=("a b.txt",), paths=("*",), since="2022", until="2022-12"))
    assert str(caught.value) == (
        "no document meets --document 'a b.txt' --path '*' --since 2022 --until 2022-12: see epiqa documents list"
        " for paths and dates"
    )
    assert str(Filter(paths=("a", "b", "c", "d", "e"))) == "--path a --path b --path c --path … (2 more)"


def test_one_name_is_taken_for_a_tuple_of_it() -> None:
    for name in ("documents", "paths"):
        assert getattr(Filter(**{name: "a.txt"}), name) == ("a.txt",)  # type: ignore[arg-type]


def test_a_filter_without_conditions_is_false() -> None:
    assert not EVERYTHING
    assert not Filter(documents=(), paths=())
    assert all((Filter(documents=("a",)), Filter(paths=("",)), Filter(since="2022"), Filter(until="02-03")))
