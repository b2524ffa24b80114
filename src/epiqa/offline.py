"""Switches off what the dependencies would send or fetch, when it is imported: before any of them.

The variables reach every worker process, too. CONTRIBUTING.md lists what each dependency could send.
"""

from __future__ import annotations

import os
import sys
import warnings

SWITCHES = {
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime: usage events to Microsoft, a device id in ~/.cache
    "GRADIO_ANALYTICS_ENABLED": "False",  # Gradio: usage events, the look-up of its newest version
    "HF_HUB_OFFLINE": "1",  # huggingface_hub, sentence-transformers: model files by name
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
}

_is_late = "onnxruntime" in sys.modules and os.environ.get("ORT_DISABLE_TELEMETRY") != "1"
os.environ |= SWITCHES  # whatever the environment says
if _is_late:  # it reads its switch once, when it is loaded
    warnings.warn(
        "onnxruntime was imported before epiqa, so it may send telemetry: import epiqa first, or set"
        " ORT_DISABLE_TELEMETRY=1",
        RuntimeWarning,
        stacklevel=2,
    )
