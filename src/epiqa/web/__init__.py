"""The chat page: `serve` runs it; `build_page` and `launch` are its two halves, for tests and embedding.

Only this package imports Gradio. Before the import, it creates a private folder for uploads, which is removed when
the process ends. Gradio's default folder can be read by every user of the machine.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="epiqa-", dir=os.environ.get("GRADIO_TEMP_DIR"))

from epiqa.web.page import build_page
from epiqa.web.security.login import parse_accounts, read_accounts
from epiqa.web.server import launch, serve
from epiqa.web.services.assistant import Assistant
from epiqa.web.services.examples import EXAMPLES

atexit.register(shutil.rmtree, os.environ["GRADIO_TEMP_DIR"], ignore_errors=True)

__all__ = ["EXAMPLES", "Assistant", "build_page", "launch", "parse_accounts", "read_accounts", "serve"]
