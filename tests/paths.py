"""Where the repository, its seeds and the tests' own files lie."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SEEDS = ROOT / "seeds"
FORMATS = ROOT / "tests" / "data" / "formats"
SEEDS_QUESTIONS = ROOT / "tests" / "data" / "seeds_questions.jsonl"
