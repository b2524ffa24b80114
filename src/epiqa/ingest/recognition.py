"""Text recognition of a page without text, by the program tesseract, if it is on this machine and was asked for.

It runs as a child of the process that parses, within that one's limits, and writes no file.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from epiqa.errors import EpiQAError

if TYPE_CHECKING:
    import pypdfium2

# Names the program to the process that parses; empty or missing, nothing is recognised.
VARIABLE = "EPIQA_TESSERACT"
LANGUAGE = "eng"
PAGE_TIMEOUT_S = 120.0
DOTS_PER_INCH = 300
MAX_PIXELS = 30_000_000  # an A3 page has 17 million
_SAID_CHARACTERS = 100


class RecognitionError(Exception):
    """The program did not do its work on one page."""


def find_tesseract() -> str:
    """Returns the program's path. Raises EpiQAError where it or its data for English are missing."""
    path = shutil.which("tesseract")
    if path is None:
        raise EpiQAError(
            "--ocr needs the program tesseract, which is not on this machine: install it, on Debian with"
            " apt-get install tesseract-ocr, or leave --ocr out"
        )
    listed = subprocess.run([path, "--list-langs"], capture_output=True, text=True, errors="replace", check=False)
    if LANGUAGE not in listed.stdout.split():
        raise EpiQAError(
            f"--ocr needs tesseract's data for English ({LANGUAGE}), which {path} does not list: install them, on"
            " Debian with apt-get install tesseract-ocr-eng, or set TESSDATA_PREFIX to where they are"
        )
    return str(Path(path).absolute())  # for the parsing process has another working directory


def is_asked_for() -> bool:
    """Returns whether this process is to recognise text."""
    return bool(os.environ.get(VARIABLE))


def recognise(page: pypdfium2.PdfPage) -> str:
    """Returns the English text that is seen on a page; raises RecognitionError."""
    width, height = page.get_size()
    scale = min(DOTS_PER_INCH / 72, math.sqrt(MAX_PIXELS / max(1.0, width * height)))
    image = page.render(scale=scale, grayscale=True).to_numpy()
    data: bytes = b"P5 %d %d 255\n" % (image.shape[1], image.shape[0]) + image.tobytes()
    command = [os.environ[VARIABLE], "stdin", "stdout", "-l", LANGUAGE, "--dpi", str(round(72 * scale))]
    try:
        done = subprocess.run(
            command,
            input=data,
            capture_output=True,
            check=False,
            timeout=PAGE_TIMEOUT_S,
            env=os.environ | {"OMP_THREAD_LIMIT": "1"},
        )
    except subprocess.TimeoutExpired as error:
        raise RecognitionError(f"tesseract takes more than {PAGE_TIMEOUT_S:g} seconds") from error
    except OSError as error:
        raise RecognitionError(f"tesseract cannot be started: {error.strerror}") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").split("\n")[0][:_SAID_CHARACTERS]
        raise RecognitionError(f"tesseract ended with {done.returncode}: {said}")
    return done.stdout.decode("utf-8", "replace")
