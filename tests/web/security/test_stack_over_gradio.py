"""The security stack in front of Gradio itself: which routes are open, which files it gives out, what it fetches.

A later version of Gradio that has more routes, or checks less, fails here.
"""

from __future__ import annotations

import gc
import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import httpx
import pytest
from gradio.utils import get_upload_folder

from epiqa.web import Assistant
from epiqa.web.security.request_limits import Limits
from epiqa.web.security.stack import paths_of

if TYPE_CHECKING:
    pass
from web.visits import GRADIOS_WARNINGS, served_page

pytestmark = GRADIOS_WARNINGS


SECRET = "this file is nobody's business"


# The open routes of Gradio 6.31, as paths of its router.
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


@pytest.fixture(scope="module")
def echo() -> gr.Blocks:
    return echoing_page()


@pytest.fixture(scope="module")
def address(echo: gr.Blocks) -> Iterator[str]:
    yield from served_page(echo, limits=Limits(file=5000, files=3, body=50_000))


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text(SECRET, "utf-8")
    return path


@pytest.fixture(scope="module")
def http(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=60) as http:
        yield http


def call(http: httpx.Client, name: str, value: Any) -> str:
    """Calls a function of the page as curl would; returns all that comes back."""
    begun = http.post(f"/gradio_api/call/{name}", json={"data": [value]})
    if begun.status_code != 200:
        return begun.text
    return http.get(f"/gradio_api/call/{name}/{begun.json()['event_id']}").text


def upload(http: httpx.Client, *contents: bytes, name: str = "a.txt") -> httpx.Response:
    return http.post("/gradio_api/upload", files=[("files", (name, content)) for content in contents])


def file_data(path: str, **more: str) -> dict[str, Any]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}, **more}


def test_every_route_of_gradio_is_open_on_purpose_or_closed(echo: gr.Blocks, http: httpx.Client) -> None:
    """Calls each route with example values: what is not on the list above is not there."""
    paths = {str(getattr(route, "path", "")) for route in _routes(echo.app.routes)} - {""}
    assert len(paths) > 60
    assert paths >= OPEN, "Gradio has not all of these any more: mend the list"
    for path in sorted(paths - OPEN):
        asked = re.sub(r"\{[^}]*\}", "1", path)
        for method in ("GET", "POST"):
            answer = http.request(method, asked)
            assert (answer.status_code, answer.text) == (404, "Not Found"), (method, path)
    for path in OPEN - {path for path in OPEN if "{" in path or "queue/data" in path}:
        assert http.request("OPTIONS", path).status_code == 405, path  # it is known, and reached


def _routes(routes: Any) -> Iterator[Any]:
    for route in routes:
        yield route
        router = getattr(route, "original_router", route)  # FastAPI wraps an included router
        yield from _routes(getattr(router, "routes", None) or [])


def test_uploads_are_open_only_where_the_page_takes_files(qa: Assistant) -> None:
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


def test_an_upload_is_bounded_in_size_and_count(http: httpx.Client) -> None:
    assert upload(http, b"x" * 5000, b"y" * 5000).status_code == 200
    before = files_of_uploads()  # of other tests, too
    assert upload(http, b"x" * 5001).status_code == 413
    assert upload(http, *[b"x"] * 4).status_code == 413
    assert files_of_uploads() == before  # what was refused has left nothing


def test_the_upload_folder_is_private_to_this_process() -> None:
    folder = Path(get_upload_folder())
    assert folder.name.startswith("epiqa-")
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["../../evil.txt", "/etc/evil.txt", "..\\evil.txt", "a/../../evil.txt", "..", "."])
def test_an_upload_lands_in_its_folder_whatever_its_name(http: httpx.Client, name: str) -> None:
    answer = upload(http, name.encode() + b"!", name=name)
    if answer.status_code == 200 and answer.json():
        (path,) = answer.json()
        assert Path(path).resolve().is_relative_to(Path(get_upload_folder()).resolve())
        assert Path(path).parent != Path(get_upload_folder())


def test_an_uploaded_page_is_downloaded_and_never_opened(http: httpx.Client) -> None:
    for name in ("a.html", "a.svg", "a.js", "a.png", "a.pdf"):
        (path,) = upload(http, b"<svg><script>1</script></svg>", name=name).json()
        answer = http.get(f"/gradio_api/file={path}", headers={"range": "bytes=0-3", "x-mine": "kept"})
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
def test_a_file_outside_the_uploads_is_not_served(http: httpx.Client, secret: Path, trick: str) -> None:
    asked = trick.format(path=secret, uploads=get_upload_folder(), readme=Path("README.md").resolve())
    for route in ("/gradio_api/file=", "/gradio_api/file/", "/file=", "/file/", "/static/", "/assets/"):
        answer = http.get(route + asked)
        assert answer.status_code in (400, 403, 404), (route, answer.text)
        assert SECRET not in answer.text and "EpiQA answers" not in answer.text


@pytest.mark.parametrize("name", ["file", "chat", "text"])
def test_a_function_gets_only_uploaded_files(http: httpx.Client, secret: Path, name: str) -> None:
    before = set(Path(get_upload_folder()).rglob("*"))
    for path in (str(secret), f"{get_upload_folder()}/../{secret.name}", f"{get_upload_folder()}/../../..{secret}"):
        for value in (
            file_data(path),
            [file_data(path)],
            [{"role": "user", "content": file_data(path)}],
            [{"role": "assistant", "content": [{"type": "file", "file": file_data(path)}]}],
        ):
            answer = call(http, name, value)
            assert SECRET not in answer
            for given in re.findall(r'"path": "([^"]+)"', answer):
                assert SECRET not in http.get(f"/gradio_api/file={given}").text
    made = {path for path in Path(get_upload_folder()).rglob("*") if path.is_file()} - before
    assert [path for path in made if SECRET in path.read_text("utf-8", "replace")] == []


def test_the_server_fetches_nothing(http: httpx.Client) -> None:
    """Whatever names an address, no one is asked for it: neither another server, nor this one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        other = f"http://127.0.0.1:{listener.getsockname()[1]}/x.txt"
        for url in (other, other.replace("127.0.0.1", "localhost"), "http://attacker.invalid/x.txt"):
            for route in ("/gradio_api/file=", "/gradio_api/file/", "/gradio_api/proxy=", "/proxy=", "/file="):
                assert http.get(route + url).status_code == 404
            for name in ("file", "chat", "text"):
                for value in (
                    file_data(url),
                    file_data("/tmp/x", url=url),
                    [{"role": "user", "content": file_data(url)}],
                    [{"role": "user", "content": [{"type": "file", "file": file_data("x", url=url)}]}],
                ):
                    assert call(http, name, value) == "A file is sent to the server, not fetched by it."
        with pytest.raises(TimeoutError):
            listener.accept()


def test_a_pickle_is_just_a_file(http: httpx.Client) -> None:
    marker = Path(get_upload_folder()) / "unpickled"
    pickle = b"cos\nsystem\n(S'touch " + str(marker).encode() + b"'\ntR."
    for name in ("a.pkl", "a.npy", "state.json", "a.txt"):
        (path,) = upload(http, pickle, name=name).json()
        call(http, "file", file_data(path))
        http.get(f"/?deep_link={Path(path).parent.name}")
        http.get("/config", params={"deep_link": f"../{Path(path).parent.name}"})
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
    server = served_page(page)
    http = httpx.Client(base_url=next(server), timeout=60)
    answers = [http.post("/gradio_api/call/slow", json={"data": ["a"]}) for _ in range(8)]
    refused = [answer for answer in answers if answer.status_code != 200]
    assert len(refused) >= 5
    assert {(answer.status_code, answer.headers["retry-after"]) for answer in refused} == {(503, "5")}
    assert all("full" in answer.json()["detail"] for answer in refused)
    release.set()
    for answer in answers:
        if answer.status_code == 200:
            event = answer.json()["event_id"]
            assert '["A"]' in http.get(f"/gradio_api/call/slow/{event}").text
    assert '["B"]' in call(http, "slow", "b")
    http.close()
    next(server, None)


def test_the_environment_locks_a_page_on_this_machine_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPIQA_AUTH", "ann:pw")
    server = served_page(echoing_page(), host="0.0.0.0", allowed_hosts=["docs.example.org"])
    address = next(server)
    assert address.startswith("http://127.0.0.1:")

    def status(host: str, password: str = "pw") -> int:
        return httpx.get(f"{address}/config", headers={"host": host}, auth=("ann", password)).status_code

    assert [status(host) for host in ("127.0.0.1", "10.0.0.7", "docs.example.org")] == [200] * 3
    assert status("evil.invalid") == 421
    assert status("docs.example.org", "guess") == 401
    assert os.environ["EPIQA_AUTH"] == "ann:pw"
    next(server, None)


def test_another_site_is_refused_by_gradios_own_routes(http: httpx.Client) -> None:
    for method, path in (("POST", "/gradio_api/queue/join"), ("GET", "/gradio_api/queue/data?session_hash=a")):
        answer = http.request(method, path, headers={"origin": "http://evil.invalid"})
        assert (answer.status_code, answer.text) == (403, "This request comes from a page of another site.")
        assert "access-control-allow-origin" not in answer.headers
