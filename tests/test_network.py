"""Nothing leaves the machine: each command, the page and Python, watched at the level of system calls.

Each program runs in an empty network namespace under strace (see `sealed`). Those that live on, a page among them,
run beside all other tests, two minutes at least: a library's telemetry begins seconds after its start.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

import sealed
from epiqa.cli import app
from epiqa.models import ROOT as MODELS
from paths import FORMATS, ROOT, SEEDS

LIVE_S = 120.0
EPIQA = Path(sys.executable).with_name("epiqa")
QUESTION = "Who presided over the meeting on February 2?"
ANSWER = "Tan Zuojun"
# No process writes what Python has compiled, and none knows the home of whoever runs the tests.
SETTINGS = {"PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
HARMLESS = ("/dev/null", "/dev/tty", "/dev/shm/sem.", "/proc/self/")
# Gradio writes the type stubs that its installation lacks beside its own modules, once; it has no switch for it.
STUB = re.compile(r"/gradio/[\w/]+\.pyi$")

ASK_AND_LIVE_ON = """
import sys, time
from epiqa import EpiQA
print(EpiQA.open(sys.argv[1]).ask(sys.argv[2]).text, flush=True)
time.sleep(3600)
"""


@dataclass
class Watched:
    """A program that is watched, and what it may change beside the temporary folder."""

    program: str
    process: subprocess.Popen[str]
    log: Path
    may_change: Sequence[Path]

    def check(self) -> None:
        """Fails with the calls that reach beyond loopback, and with the files that it had no business to change."""
        found = list(sealed.calls(self.log))
        assert found, f"{self.program}: strace saw nothing"
        outside = sealed.reaching_out(found)
        assert outside == [], f"{self.program} reached out: {outside}"
        allowed = (*map(str, self.may_change), *HARMLESS)
        changed = {str(path) for path in sealed.changed_files(found)}
        elsewhere = {path for path in changed if not path.startswith(allowed) and not STUB.search(path)}
        assert elsewhere == set(), f"{self.program} changed {elsewhere}"


class Place:
    """A folder with an index, a home and a temporary folder, where programs are run and watched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index = folder / "index"
        self.temporary = folder / "tmp"
        self.home = folder / "home"
        self.temporary.mkdir()
        self.home.mkdir()
        self._runs = 0

    def start(self, *command: str | Path, may_change: Sequence[Path] = ()) -> Watched:
        """Starts a program, its input and output being pipes."""
        self._runs += 1
        log = self.folder / f"calls-{self._runs}"
        environment = {**SETTINGS, "HOME": str(self.home), "TMPDIR": str(self.temporary)}
        process = sealed.start(command, log, environment)
        return Watched(" ".join(map(str, command)), process, log, [self.index, self.temporary, *may_change])

    def run(
        self, *command: str | Path, codes: Sequence[int] = (0,), stdin: str = "", may_change: Sequence[Path] = ()
    ) -> str:
        """Runs a program to its end and checks it; returns what it printed."""
        watched = self.start(*command, may_change=may_change)
        printed, complaints = watched.process.communicate(stdin, timeout=300)
        assert watched.process.returncode in codes, complaints
        watched.check()
        return printed


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    sealed.require_sealing()
    place = Place(tmp_path_factory.mktemp("sealed"))
    # A PDF and a DOCX are parsed by a worker process.
    files = [*SEEDS.glob("*.txt"), FORMATS / "chromium.pdf", FORMATS / "writer.docx"]
    place.run(EPIQA, "index", *files, "--index", place.index)
    return place


@pytest.fixture(scope="session")
def living(place: Place) -> Iterator[dict[str, Watched]]:
    """Programs that live on while all other tests run; checked at the end of the session."""
    begun = time.monotonic()
    watched_folder = place.folder / "watched"
    watched_folder.mkdir()
    programs = {
        "serve": place.start(EPIQA, "serve", "--index", place.index, "--port", "7861"),
        "python": place.start(sys.executable, "-c", ASK_AND_LIVE_ON, place.index, QUESTION),
        "watch": place.start(
            EPIQA,
            "watch",
            watched_folder,
            "--index",
            place.folder / "index-watched",
            may_change=[place.folder / "index-watched"],
        ),
    }
    (watched_folder / "new.txt").write_text("The clinic in Xigang opened on March 4.", encoding="utf-8")
    yield programs
    time.sleep(max(0.0, LIVE_S - (time.monotonic() - begun)))
    for watched in programs.values():
        os.killpg(watched.process.pid, signal.SIGINT)
    for watched in programs.values():
        watched.process.communicate(timeout=60)
    for watched in programs.values():
        watched.check()


@pytest.fixture
def questions(place: Place) -> Path:
    path = place.folder / "questions.jsonl"
    asked = [{"question": QUESTION, "answers": [ANSWER]}]
    asked += [{"question": f"Who ate cake number {n}?", "answers": []} for n in range(10)]
    asked += [{"question": f"{QUESTION} ({n})", "answers": [ANSWER]} for n in range(10)]
    path.write_text("".join(json.dumps(line) + "\n" for line in asked), encoding="utf-8")
    return path


ONE_ANSWER = {
    "ask": ("ask", QUESTION, "--json"),
    "search": ("search", "grid management", "--rerank", "--json"),
    "verify": ("verify",),
    "documents": ("documents", "list"),
}


@pytest.mark.parametrize("name", ONE_ANSWER)
@pytest.mark.usefixtures("living")
def test_a_command_that_reads_sends_nothing(place: Place, name: str) -> None:
    assert place.run(EPIQA, *ONE_ANSWER[name], "--index", place.index)


@pytest.mark.usefixtures("living")
def test_a_chat_sends_nothing(place: Place) -> None:
    assert ANSWER in place.run(EPIQA, "chat", "--index", place.index, stdin=f"{QUESTION}\n\n")


@pytest.mark.usefixtures("living")
def test_measuring_and_calibrating_send_nothing(place: Place, questions: Path) -> None:
    written = [place.folder / f"measured.{suffix}" for suffix in ("json", "html", "junit", "trec")]
    options = zip(("--json", "--report", "--junit", "--trec"), written, strict=True)
    given = [str(part) for option in options for part in option]
    place.run(EPIQA, "evaluate", questions, "--index", place.index, *given, may_change=[place.folder])
    assert all(path.is_file() for path in written)
    place.run(EPIQA, "calibrate", questions, "--index", place.index)


@pytest.mark.usefixtures("living")
def test_exporting_a_model_sends_nothing(place: Place) -> None:
    work, models = place.folder / "work", place.folder / "models"
    shutil.copytree(MODELS, models, ignore=shutil.ignore_patterns("reader-large", "*.py", "__pycache__"))
    options = ("--work", work, "--models", models)
    place.run(sys.executable, ROOT / "training" / "export.py", "embedder", *options, may_change=[work, models])
    assert (work / "embedder.fp32.onnx").is_file()


def test_what_lives_on_sends_nothing_in_two_minutes(living: dict[str, Watched]) -> None:
    """The fixture checks it when the two minutes are over. Here: the programs do what they are for."""
    python = living["python"].process.stdout
    assert python is not None
    assert python.readline().strip() == ANSWER
    assert all(watched.process.poll() is None for watched in living.values())


def test_every_command_is_watched() -> None:
    commands = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert commands == {*ONE_ANSWER, "index", "chat", "evaluate", "calibrate", "serve", "watch"}


def test_a_script_switches_telemetry_off_before_it_imports_onnx_runtime() -> None:
    for script in (*ROOT.glob("training/*.py"), *ROOT.glob("benchmarks/*.py")):
        before, imported, _ = script.read_text("utf-8").partition("\nimport onnxruntime\n")
        assert not imported or "\nimport epiqa.offline" in before, script


def test_onnx_runtime_imported_before_epiqa_is_warned_of() -> None:
    script = "import onnxruntime, warnings; warnings.simplefilter('error'); import epiqa"
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    with tempfile.TemporaryDirectory() as home:
        ran = subprocess.run(
            [sys.executable, "-c", script],
            env=environment | {"HOME": home},
            capture_output=True,
            text=True,
            check=False,
        )
    assert "RuntimeWarning: onnxruntime was imported before epiqa" in ran.stderr


def test_the_page_works_without_a_network(tmp_path: Path) -> None:
    sealed.require_sealing()
    node = "tests/web/test_real_page.py::test_the_pipeline_answers_on_the_page"
    command = ["unshare", "--net", *(["--map-root-user"] if os.geteuid() else []), sys.executable, sealed.__file__]
    command += [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", node]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-3000:]
    assert "1 passed" in ran.stdout or "1 skipped" in ran.stdout
