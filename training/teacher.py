"""A larger reader's scores of the windows that a smaller one is trained on, for the smaller one to learn from.

As in Hinton et al. 2015, the lesson is the whole distribution and not its best: where else an answer could be,
which passage only looks like holding one, how sure one can be. A window is handed over token by token, so that each
score is one of the smaller reader's own tokens. All lessons of a training are one file, batch after batch; a
labelling that was interrupted goes on in it.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import AutoModelForQuestionAnswering

from examples import NO_ANSWER, Item, Row, shape, tensors

# A batch's start logits and end logits: (2, rows, tokens).
Lesson = NDArray[np.float16]

RENAMED = {"[CLS]": "<s>", "[SEP]": "</s>"}  # BERT's special tokens, as MPNet calls them
REPORT_EVERY = 20


class Teacher:
    """A question-answering model, in evaluation; its vocabulary must hold the student's."""

    def __init__(self, folder: Path, student: Tokenizer) -> None:
        own = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._ids: dict[int, int] = {}
        for token, number in student.get_vocab().items():
            found = own.token_to_id(RENAMED.get(token, token))
            if found is None:
                raise SystemExit(f"{folder} cannot teach: its tokenizer does not know the token {token!r}")
            self._ids[number] = found
        # MPNet has two separators between question and passage, where BERT has one.
        self._more_separators = own.num_special_tokens_to_add(True) - student.num_special_tokens_to_add(True)
        self._model = AutoModelForQuestionAnswering.from_pretrained(
            folder, local_files_only=True, dtype=torch.float32
        ).eval()

    def teach(self, batch: Sequence[Item]) -> Lesson:
        """Returns the logits of a batch's tokens, 0 where it is padded."""
        rows = [row for item in batch for row in item]
        inputs, _, _ = tensors([[self._translated(row) for row in rows]], self._model)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            output = self._model(**inputs)
        logits = torch.stack([output.start_logits, output.end_logits]).to(torch.float16).numpy()
        lesson = np.zeros((2, *shape(batch)), np.float16)
        for number, row in enumerate(rows):
            passage, more, length = row.type_ids.index(1), self._more_separators, len(row.ids)
            lesson[:, number, :passage] = logits[:, number, :passage]
            lesson[:, number, passage:length] = logits[:, number, passage + more : length + more]
        return lesson

    def _translated(self, row: Row) -> Row:
        ids, passage, more = [self._ids[number] for number in row.ids], row.type_ids.index(1), self._more_separators
        separators = ids[passage - 1 : passage] * more
        type_ids = row.type_ids[:passage] + [0] * more + row.type_ids[passage:]
        return Row(ids[:passage] + separators + ids[passage:], type_ids, NO_ANSWER)


def teach_all(
    batches: Sequence[Sequence[Item]], folder: Path, fingerprint: str, student: Tokenizer, cache: Path
) -> list[Lesson]:
    """Returns the lesson of each batch; those that the file in `cache` lacks are computed first.

    Args:
        folder: The teacher's weights and tokenizer.
        fingerprint: The SHA-256 of those weights.
        student: The tokenizer that made the batches.
    """
    shapes = [(2, *shape(batch)) for batch in batches]
    bounds = [0, *accumulate(map(math.prod, shapes))]
    made_of = [fingerprint, [[row.ids for item in batch for row in item] for batch in batches]]
    path = cache / f"lessons-{hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:12]}.f16"
    with path.open("ab") as file:
        done = bisect_right(bounds, file.tell() // np.float16().nbytes) - 1
        if done < len(batches):
            file.truncate(bounds[done] * np.float16().nbytes)
            teacher, begun, tokens = Teacher(folder, student), time.monotonic(), 0
            for number in range(done, len(batches)):
                file.write(teacher.teach(batches[number]).tobytes())
                file.flush()
                tokens += math.prod(shapes[number][1:])
                if (number + 1) % REPORT_EVERY == 0:
                    speed = tokens / (time.monotonic() - begun)
                    print(f"taught {number + 1} of {len(batches)} batches, {speed:.0f} tokens/s", flush=True)
    logits = np.fromfile(path, np.float16)
    parts = zip(pairwise(bounds), shapes, strict=True)
    return [logits[begin:end].reshape(of_batch) for (begin, end), of_batch in parts]
