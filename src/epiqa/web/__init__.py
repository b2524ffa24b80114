"""The chat page: `serve` runs it; `build_page` and `launch` are its two halves, for tests and embedding.

Importing this package imports Gradio, and nothing else in EpiQA does. The two settings below must be
made before that import: they turn off Gradio's usage reports and every look-up on the model hub.
"""

from __future__ import annotations

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"

from epiqa.web.answerer import QuestionAnswerer
from epiqa.web.examples import EXAMPLES
from epiqa.web.page import build_page
from epiqa.web.server import launch, serve

__all__ = ["EXAMPLES", "QuestionAnswerer", "build_page", "launch", "serve"]
