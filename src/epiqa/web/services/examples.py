"""Example questions: those of the documents that ship with EpiQA, and titles that are questions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from epiqa.types import DocumentInfo

# File name and question; a question is offered if its document is in the index. The last one has no answer, to show
# what that looks like.
EXAMPLES = (
    ("002_4240fd80c429d22d.txt", "Who chaired the city headquarters meeting on February 2?"),
    ("002_4240fd80c429d22d.txt", "What has to be done in canteens and on public transport?"),
    ("004_5d92a0e4b413dfa2.txt", "How many abnormal test results turned up in Jinpu New District?"),
    ("004_5d92a0e4b413dfa2.txt", "How often will students be tested?"),
    ("000_b85568a49fec7b60.txt", "Which hospital did Tang Yijun call by video?"),
    ("000_b85568a49fec7b60.txt", "How many vaccine doses did Dalian receive?"),
)
MAX_EXAMPLES = 6
MAX_CHARACTERS = 90


def offered_examples(documents: Sequence[DocumentInfo]) -> list[str]:
    """Returns the questions to offer for an index, at most `MAX_EXAMPLES`.

    A title that is a question is offered as it is. No question is made up from other titles.
    """
    names = {PurePath(document.path).name for document in documents}
    shipped = [question for name, question in EXAMPLES if name in names]
    titles = (" ".join(document.title.split()) for document in documents)
    asked = [title for title in titles if title.endswith(("?", "？")) and len(title) <= MAX_CHARACTERS]
    return list(dict.fromkeys(shipped + asked))[:MAX_EXAMPLES]
