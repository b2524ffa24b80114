"""The guard in front of Gradio itself: which of its routes are open, what files it gives out, what it fetches.

A later version of Gradio that has more routes, or checks less, is found out here.
"""

from __future__ import annotations

import gc
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import httpx
import pytest
from gradio.utils import get_upload_folder

from epiqa import EpiQA
from epiqa.errors import EpiQAError
from epiqa.web import QuestionAnswerer, build_page, launch
from epiqa.web.security.request_limits import Limits
from epiqa.web.security.stack import paths_of
from epiqa.web.server import routes_of
from paths import ROOT
from web.test_page import browser as chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["chromium"]

# As in test_page.py: Gradio leaves event loops open, and pandas has moved on.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning"),
    pytest.mark.filterwarnings(r"ignore:unclosed <socket\.socket fd=\d+, family=1, type=1:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:'future.no_silent_downcasting' is deprecated"),
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
]

ANSWERED = "Who chaired the city headquarters meeting on February 2?"
ACCOUNTS = {"ann": "correct horse"}
NO_PROXY = {**os.environ, "no_proxy": "127.0.0.1"}
SECRET = "this file is nobody's business"

# Routes of Gradio 6.31 that are open, by their path as its router has it.
OPEN = {
    "/", "/config", "/config/", "/theme.css", "/manifest.json", "/favicon.ico", "/robots.txt",
    "/static/{path:path}", "/assets/{path:path}",
    "/gradio_api/user", "/gradio_api/user/", "/gradio_api/login_check", "/gradio_api/login_check/",
    "/gradio_api/app_id", "/gradio_api/app_id/", "/gradio_api/info", "/gradio_api/info/",
    "/gradio_api/openapi.json", "/gradio_api/theme.css", "/gradio_api/startup-events",
    "/gradio_api/call/{api_name}", "/gradio_api/call/{api_name}/", "/gradio_api/call/{api_name}/{event_id}",
    "/gradio_api/call/v2/{api_name}", "/gradio_api/call/v2/{api_name}/",
    "/gradio_api/call/v2/{api_name}/{event_id}",
    "/gradio_api/queue/join", "/gradio_api/queue/data", "/gradio_api/queue/status",
    "/gradio_api/cancel", "/gradio_api/reset", "/gradio_api/reset/", "/gradio_api/heartbeat/{session_hash}",
    "/gradio_api/component_server", "/gradio_api/component_server/", "/gradio_api/file={path_or_url:path}",
    "/gradio_api/upload", "/gradio_api/upload_progress",
}  # fmt: skip


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def echoing_page() -> gr.Blocks:
    """A page with what could leak: a function that gives back the file, the chat or the text that it was given."""
    page = gr.Blocks(analytics_enabled=False)
    with page:
        file, chat, text = gr.File(), gr.Chatbot(), gr.Textbox()
        gr.Button().click(lambda value: value, file, gr.File(), api_name="file")
        gr.Button().click(lambda value: value, chat, chat, api_name="chat")
        gr.Button().click(lambda value: value, text, text, api_name="text")
    page.queue(max_size=4, api_open=False)
    return page


def served(page: gr.Blocks, **how: Any) -> Iterator[str]:
    gc.collect()
    yield launch(page, port=free_port(), **how)
    page.close(verbose=False)
    gc.collect()


@pytest.fixture(scope="module")
def echo() -> gr.Blocks:
    return echoing_page()


@pytest.fixture(scope="module")
def address(echo: gr.Blocks) -> Iterator[str]:
    yield from served(echo, limits=Limits(file=5000, files=3, body=50_000))


@pytest.fixture(scope="module")
def locked(qa: QuestionAnswerer) -> Iterator[str]:
    """The chat page behind a password."""
    yield from served(build_page(qa), auth=ACCOUNTS, routes=routes_of(qa))


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text(SECRET, "utf-8")
    return path


@pytest.fixture(scope="module")
def browser(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=60) as browser:
        yield browser


def call(browser: httpx.Client, name: str, value: Any) -> str:
    """Calls a function of the page as curl would; returns all that comes back."""
    begun = browser.post(f"/gradio_api/call/{name}", json={"data": [value]})
    if begun.status_code != 200:
        return begun.text
    return browser.get(f"/gradio_api/call/{name}/{begun.json()['event_id']}").text


def upload(browser: httpx.Client, *contents: bytes, name: str = "a.txt") -> httpx.Response:
    return browser.post("/gradio_api/upload", files=[("files", (name, content)) for content in contents])


def file_data(path: str, **more: str) -> dict[str, Any]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}, **more}


def test_every_route_of_gradio_is_open_on_purpose_or_closed(echo: gr.Blocks, browser: httpx.Client) -> None:
    """Calls each route with example values: what is not on the list above is not there."""
    paths = {str(getattr(route, "path", "")) for route in _routes(echo.app.routes)} - {""}
    assert len(paths) > 60
    assert paths >= OPEN, "Gradio has not all of these any more: mend the list"
    for path in sorted(paths - OPEN):
        asked = re.sub(r"\{[^}]*\}", "1", path)
        for method in ("GET", "POST"):
            answer = browser.request(method, asked)
            assert (answer.status_code, answer.text) == (404, "Not Found"), (method, path)
    for path in OPEN - {path for path in OPEN if "{" in path or "queue/data" in path}:
        assert browser.request("OPTIONS", path).status_code == 405, path  # it is known, and reached


def _routes(routes: Any) -> Iterator[Any]:
    for route in routes:
        yield route
        router = getattr(route, "original_router", route)  # FastAPI wraps an included router
        yield from _routes(getattr(router, "routes", None) or [])


def test_uploads_are_open_only_where_the_page_takes_files(qa: QuestionAnswerer) -> None:
    assert "/gradio_api/upload" in paths_of(echoing_page())
    with gr.Blocks(analytics_enabled=False) as page:
        gr.Textbox()
    assert "/gradio_api/upload" not in paths_of(page)
    with page.route("More", "more"):
        gr.UploadButton()
    assert {"/more", "/gradio_api/upload"} <= paths_of(page)
    gc.collect()


def files_of_uploads() -> set[Path]:
    return {path for path in Path(get_upload_folder()).glob("*") if path.is_file()}


def test_an_upload_is_bounded_in_size_and_count(browser: httpx.Client) -> None:
    assert upload(browser, b"x" * 5000, b"y" * 5000).status_code == 200
    before = files_of_uploads()  # of other tests, too
    assert upload(browser, b"x" * 5001).status_code == 413
    assert upload(browser, *[b"x"] * 4).status_code == 413
    assert files_of_uploads() == before  # what was refused has left nothing


def test_the_upload_folder_is_of_this_process_alone() -> None:
    folder = Path(get_upload_folder())
    assert folder.name.startswith("epiqa-")
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["../../evil.txt", "/etc/evil.txt", "..\\evil.txt", "a/../../evil.txt", "..", "."])
def test_an_upload_lands_in_its_folder_whatever_its_name(browser: httpx.Client, name: str) -> None:
    answer = upload(browser, name.encode() + b"!", name=name)
    if answer.status_code == 200 and answer.json():
        (path,) = answer.json()
        assert Path(path).resolve().is_relative_to(Path(get_upload_folder()).resolve())
        assert Path(path).parent != Path(get_upload_folder())


def test_an_uploaded_page_is_downloaded_and_never_opened(browser: httpx.Client) -> None:
    for name in ("a.html", "a.svg", "a.js", "a.png", "a.pdf"):
        (path,) = upload(browser, b"<svg><script>1</script></svg>", name=name).json()
        answer = browser.get(f"/gradio_api/file={path}", headers={"range": "bytes=0-3", "x-mine": "kept"})
        assert answer.status_code == 200 and answer.content.startswith(b"<svg><script>")
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["content-security-policy"].startswith("sandbox")
        assert "x-mine" not in answer.headers  # Gradio would send a range back with the request's own headers


@pytest.mark.parametrize(
    "trick",
    [
        *("{path}", "/{path}", "file://{path}", "../..{path}", "%2e%2e{path}", "..%2f..{path}", "{path}%00.png"),
        *(
            "{uploads}/../../../../../../..{path}",
            "{uploads}/..{path}",
            "{uploads}/..\\..{path}",
            "{path}?a",
            "{path}/",
        ),
        *("{uploads}/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e{path}", "\\\\localhost{path}", "{uploads}", "{uploads}/"),
        *(
            "/proc/self/environ",
            "/proc/self/root{path}",
            "/dev/stdin",
            "~root",
            "{readme}",
            "README.md",
            "./README.md",
        ),
    ],
)
def test_a_file_outside_of_the_uploads_is_not_given_out(browser: httpx.Client, secret: Path, trick: str) -> None:
    asked = trick.format(path=secret, uploads=get_upload_folder(), readme=Path("README.md").resolve())
    for route in ("/gradio_api/file=", "/gradio_api/file/", "/file=", "/file/", "/static/", "/assets/"):
        answer = browser.get(route + asked)
        assert answer.status_code in (400, 403, 404), (route, answer.text)
        assert SECRET not in answer.text and "EpiQA answers" not in answer.text


@pytest.mark.parametrize("name", ["file", "chat", "text"])
def test_a_function_is_given_no_file_that_was_not_uploaded(browser: httpx.Client, secret: Path, name: str) -> None:
    before = set(Path(get_upload_folder()).rglob("*"))
    for path in (str(secret), f"{get_upload_folder()}/../{secret.name}", f"{get_upload_folder()}/../../..{secret}"):
        for value in (
            file_data(path),
            [file_data(path)],
            [{"role": "user", "content": file_data(path)}],
            [{"role": "assistant", "content": [{"type": "file", "file": file_data(path)}]}],
        ):
            answer = call(browser, name, value)
            assert SECRET not in answer
            for given in re.findall(r'"path": "([^"]+)"', answer):
                assert SECRET not in browser.get(f"/gradio_api/file={given}").text
    made = {path for path in Path(get_upload_folder()).rglob("*") if path.is_file()} - before
    assert [path for path in made if SECRET in path.read_text("utf-8", "replace")] == []


def test_the_server_fetches_nothing(browser: httpx.Client) -> None:
    """Whatever names an address, no one is asked for it: neither another server, nor this one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        other = f"http://127.0.0.1:{listener.getsockname()[1]}/x.txt"
        for url in (other, other.replace("127.0.0.1", "localhost"), "http://attacker.invalid/x.txt"):
            for route in ("/gradio_api/file=", "/gradio_api/file/", "/gradio_api/proxy=", "/proxy=", "/file="):
                assert browser.get(route + url).status_code == 404
            for name in ("file", "chat", "text"):
                for value in (
                    file_data(url),
                    file_data("/tmp/x", url=url),
                    [{"role": "user", "content": file_data(url)}],
                    [{"role": "user", "content": [{"type": "file", "file": file_data("x", url=url)}]}],
                ):
                    assert call(browser, name, value) == "A file is sent to the server, not fetched by it."
        with pytest.raises(TimeoutError):
            listener.accept()


def test_a_pickle_is_just_a_file(browser: httpx.Client) -> None:
    marker = Path(get_upload_folder()) / "unpickled"
    pickle = b"cos\nsystem\n(S'touch " + str(marker).encode() + b"'\ntR."
    for name in ("a.pkl", "a.npy", "state.json", "a.txt"):
        (path,) = upload(browser, pickle, name=name).json()
        call(browser, "file", file_data(path))
        browser.get(f"/?deep_link={Path(path).parent.name}")
        browser.get("/config", params={"deep_link": f"../{Path(path).parent.name}"})
    assert not marker.exists()


def test_a_full_queue_says_busy_and_the_server_answers_afterwards() -> None:
    release = threading.Event()

    def slow(text: str) -> str:
        release.wait(20)
        return text.upper()

    with gr.Blocks(analytics_enabled=False) as page:
        box = gr.Textbox()
        gr.Button().click(slow, box, box, api_name="slow")
    page.queue(max_size=2, default_concurrency_limit=1, api_open=False)
    server = served(page)
    browser = httpx.Client(base_url=next(server), timeout=60)
    answers = [browser.post("/gradio_api/call/slow", json={"data": ["a"]}) for _ in range(8)]
    refused = [answer for answer in answers if answer.status_code != 200]
    assert len(refused) >= 5
    assert {(answer.status_code, answer.headers["retry-after"]) for answer in refused} == {(503, "5")}
    assert all("full" in answer.json()["detail"] for answer in refused)
    release.set()
    for answer in answers:
        if answer.status_code == 200:
            event = answer.json()["event_id"]
            assert '["A"]' in browser.get(f"/gradio_api/call/slow/{event}").text
    assert '["B"]' in call(browser, "slow", "b")
    browser.close()
    next(server, None)


# Over HTTP, as the README says


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    qa = EpiQA.build([ROOT / "seeds"], index=tmp_path_factory.mktemp("index"))
    yield from served(build_page(qa), routes=routes_of(qa))


def readme_block(language: str, containing: str) -> str:
    blocks = re.findall(
        rf"^```{language}\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    (block,) = (block for block in blocks if containing in block)
    return str(block)


def test_the_readmes_python_asks_over_http(
    asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("gradio_client")
    shutil.copy(ROOT / "tests" / "data" / "formats" / "chromium.pdf", tmp_path / "notice.pdf")
    monkeypatch.chdir(tmp_path)
    code = readme_block("python", "gradio_client").replace("http://127.0.0.1:7860", asked)
    exec(compile(code, "README.md", "exec"), {})
    assert "\nTan Zuojun [{'text': 'Tan Zuojun', " in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl is installed")
def test_the_readmes_curl_asks_over_http(asked: str) -> None:
    script = readme_block("sh", "curl").replace("http://127.0.0.1:7860", asked)
    ran = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, check=True, env=NO_PROXY)
    assert "event: complete\ndata: [{" in ran.stdout and '"text": "Tan Zuojun"' in ran.stdout


def test_the_functions_are_described(asked: str) -> None:
    described = httpx.get(f"{asked}/gradio_api/openapi.json").json()
    assert described["openapi"].startswith("3.")
    ask = described["paths"]["/gradio_api/call/v2/ask"]["post"]
    assert ask["summary"].startswith("Answers one question ")
    properties = ask["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert properties["question"] == {"type": "string", "description": "The question, in English."}


# The password


def test_nothing_of_gradio_is_seen_without_the_password(locked: str) -> None:
    for path in (
        "/",
        "/config",
        "/theme.css",
        "/gradio_api/info",
        "/gradio_api/openapi.json",
        "/static/img/logo.svg",
    ):
        answer = httpx.get(f"{locked}{path}", headers={"accept": "text/html"})
        assert answer.status_code == 401 and "api_name" not in answer.text and "gradio" not in answer.text.lower()
    assert httpx.post(f"{locked}/gradio_api/call/ask", json={"data": [ANSWERED]}).status_code == 401


def test_gradio_client_logs_in(locked: str) -> None:
    gradio_client = pytest.importorskip("gradio_client")
    client = gradio_client.Client(locked, auth=("ann", "correct horse"), verbose=False, analytics_enabled=False)
    assert client.predict(ANSWERED, api_name="/ask")["text"] == "Tan Zuojun"
    with pytest.raises(gradio_client.exceptions.AuthenticationError, match="Invalid credentials"):
        gradio_client.Client(locked, auth=("ann", "wrong"), verbose=False)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl is installed")
def test_curl_logs_in(locked: str) -> None:
    def curl(*arguments: str) -> str:
        command = ["curl", "--silent", "--noproxy", "*", "--max-time", "20", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    body = ("--json", '{"question": "' + ANSWERED + '"}')
    assert curl(f"{locked}/gradio_api/call/v2/ask", *body) == "A name and a password are needed."
    begun = curl("--user", "ann:correct horse", f"{locked}/gradio_api/call/v2/ask", *body)
    (event,) = re.findall(r'"event_id":"(\w+)"', begun)
    answer = curl("--user", "ann:correct horse", f"{locked}/gradio_api/call/ask/{event}")
    assert answer.startswith("event: complete\ndata: [{") and '"Tan Zuojun"' in answer


def test_a_person_logs_in(chromium: Browser, locked: str) -> None:
    page = chromium.new_page(locale="en-US")
    complaints: list[str] = []
    page.goto(locked)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.get_by_label("Name").fill("ann")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("The name or the password is wrong.").wait_for()
    assert [complaint for complaint in complaints if "401" not in complaint] == []
    page.get_by_label("Name").fill("ann")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Log in").click()
    page.locator("#epiqa-question textarea").fill(ANSWERED)
    page.locator("#epiqa-question textarea").press("Enter")
    page.locator("[data-testid=bot]").get_by_text("Tan Zuojun").first.wait_for()
    assert [complaint for complaint in complaints if "401" not in complaint] == []
    page.close()


def test_a_service_manager_ends_the_page_and_its_uploads_are_gone(tmp_path: Path) -> None:
    code = (
        "from web.conftest import FakeAnswerer, read_seeds; from epiqa.web import serve;"
        f"serve(FakeAnswerer(read_seeds(), {{}}), port={free_port()})"
    )
    environment = {**NO_PROXY, "PYTHONPATH": os.pathsep.join(sys.path), "GRADIO_TEMP_DIR": str(tmp_path)}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("EpiQA is at http://127.0.0.1:")
        assert [path.name.startswith("epiqa-") for path in tmp_path.iterdir()] == [True]
        server.terminate()
        assert server.wait(60) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_machines_are_let_in_only_with_a_password(
    qa: QuestionAnswerer, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.delenv("EPIQA_AUTH", raising=False)
    nothing: tuple[dict[str, Any], ...] = ({}, {"auth": {}})
    for how in nothing:
        with pytest.raises(EpiQAError, match=r"needs a password: set EPIQA_AUTH .*--auth-file.*ps") as raised:
            launch(gr.Blocks(analytics_enabled=False), host=host, port=free_port(), **how)
        assert raised.value.exit_code == 2
    monkeypatch.setenv("EPIQA_AUTH", "no colon")
    with pytest.raises(EpiQAError, match=r"^EPIQA_AUTH, line 1, is not USER:PASSWORD\.$"):
        launch(gr.Blocks(analytics_enabled=False), host=host, port=free_port())
    gc.collect()


def test_the_environment_locks_a_page_on_this_machine_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPIQA_AUTH", "ann:pw")
    server = served(echoing_page(), host="0.0.0.0", allowed_hosts=["docs.example.org"])
    address = next(server)
    assert address.startswith("http://127.0.0.1:")

    def status(host: str, password: str = "pw") -> int:
        return httpx.get(f"{address}/config", headers={"host": host}, auth=("ann", password)).status_code

    assert [status(host) for host in ("127.0.0.1", "10.0.0.7", "docs.example.org")] == [200] * 3
    assert status("evil.invalid") == 421
    assert status("docs.example.org", "guess") == 401
    assert os.environ["EPIQA_AUTH"] == "ann:pw"
    next(server, None)


def test_another_site_is_refused_by_gradios_own_routes(browser: httpx.Client) -> None:
    for method, path in (("POST", "/gradio_api/queue/join"), ("GET", "/gradio_api/queue/data?session_hash=a")):
        answer = browser.request(method, path, headers={"origin": "http://evil.invalid"})
        assert (answer.status_code, answer.text) == (403, "This request comes from a page of another site.")
        assert "access-control-allow-origin" not in answer.headers
