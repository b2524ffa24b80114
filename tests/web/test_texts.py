"""The page's texts: both languages are complete, and the right one is chosen."""

from __future__ import annotations

import re
from string import Formatter
from types import SimpleNamespace

import pytest

from epiqa.errors import EpiQAError, QuestionError
from epiqa.web.texts import I18N, language_of, translate, translate_error
from epiqa.web.translations import TEXTS


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("key", TEXTS)
def test_both_languages_say_the_same(key: str) -> None:
    english, chinese = TEXTS[key]
    assert english.strip()
    assert chinese.strip()
    assert fields(english) == fields(chinese)
    if key not in ("f1", "chip_remove"):
        assert re.search(r"[\u4e00-\u9fff]", chinese)


def test_a_number_takes_the_singular_and_separators() -> None:
    assert translate("en", "documents", count=1) == "1 document"
    assert translate("en", "documents", count=5486) == "5,486 documents"
    assert translate("zh", "documents", count=1) == "1 份文档"


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("ZH", "zh"), ("en-US,zh;q=0.9", "en"), ("fr,zh;q=0.9", "en"), ("", "en")],
)
def test_the_first_language_of_the_browser_is_used(accepted: str, language: str) -> None:
    assert language_of(SimpleNamespace(headers={"accept-language": accepted})) == language  # type: ignore[arg-type]


def test_without_a_request_the_language_is_english() -> None:
    assert language_of(None) == "en"


def test_components_are_translated_from_the_same_texts() -> None:
    assert I18N.translations["en"]["epiqa.ask"] == "Ask"
    for locale in ("zh", "zh-CN", "zh-TW"):
        assert I18N.translations[locale]["epiqa.ask"] == "提问"


def test_an_error_is_introduced_in_the_readers_language() -> None:
    assert (
        translate_error("en", QuestionError("the question is empty"))
        == "This cannot be asked: the question is empty"
    )
    assert translate_error("zh", EpiQAError("no room")) == "出错了：no room"
