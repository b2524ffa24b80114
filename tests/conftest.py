"""What holds for all tests."""

import epiqa.offline  # noqa: F401  (before a test module imports ONNX Runtime)
