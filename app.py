"""Opens the chat page on ./index, which is built from ./seeds when there is none."""

from __future__ import annotations

import sys

from epiqa import EpiQA
from epiqa.errors import EpiQAError, IndexMissingError


def main() -> int:
    """Serves the page until it is interrupted; returns the exit code."""
    try:
        try:
            qa = EpiQA.open("index")
        except IndexMissingError:
            qa = EpiQA.build(["seeds"], index="index")
        from epiqa.web import serve  # late: Gradio takes seconds to import, and an error above needs none

        serve(qa)
    except EpiQAError as error:
        print(f"epiqa: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
