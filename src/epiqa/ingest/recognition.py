"""Text recognition of a page without text, by the program tesseract, if it is on this machine and was asked for.

It runs as a child of the process that parses, within that one's limits, and writes no file.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from epiqa.errors import EpiQAError

if TYPE_CHECKING:
    import pypdfium2

# Names the program to the process that parses; empty or missing, nothing is recognised.
VARIABLE = "EPIQA_TESSERACT"
DOTS_PER_INCH = 300
MAX_PIXELS = 30_000_000  # an A3 page has 17 million


def find_tesseract() -> str:
    """Returns the program's path; raises EpiQAError where there is none."""
    path = shutil.which("tesseract")
    if path is None:
        raise EpiQAError(
            "--ocr needs the program tesseract, which is not on this machine: install it, on Debian with"
            " apt-get install tesseract-ocr, or leave --ocr out"
        )
    return os.path.abspath(path)  # noqa: PTH100  (the parsing process has another working directory)


def recognise(page: pypdfium2.PdfPage) -> str:
    """Returns the text that is seen on a page, empty where nothing is asked for or seen."""
    program = os.environ.get(VARIABLE)
    if not program:
        return ""
    width, height = page.get_size()
    scale = min(DOTS_PER_INCH / 72, math.sqrt(MAX_PIXELS / max(1.0, width * height)))
    image = page.render(scale=scale, grayscale=True).to_numpy()
    data = b"P5 %d %d 255\n" % (image.shape[1], image.shape[0]) + image.tobytes()
    command = [program, "stdin", "stdout", "--dpi", str(round(72 * scale))]
    done = subprocess.run(
        command, input=data, capture_output=True, check=False, env=os.environ | {"OMP_THREAD_LIMIT": "1"}
    )
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""
