"""The routes that are open, and how many requests they take at once."""

from __future__ import annotations

from starlette.routing import Route

from epiqa.web.security.stack import AllowedRoutes
from web.security.one_layer import client, echo


def test_other_paths_are_not_found() -> None:
    beside = Route("/original/{name}", echo)
    tab = client(AllowedRoutes, paths={"/config", "/gradio_api/queue/join"}, routes=[beside], requests=9)
    assert [tab.get(path).status_code for path in ("/original/a", "/original", "/original/a/b")] == [200, 404, 404]
    assert tab.post("/original/a").status_code == 404
    for path in ("/config", "/config/", "/assets/a.js", "/gradio_api/call/ask", "/gradio_api/file=/a/b"):
        assert tab.get(path).status_code == 200
    for path in ("/monitoring", "/gradio_api/proxy=http://a.invalid/", "/gradio_api/file=http://a.invalid/b"):
        assert tab.get(path).status_code == 404
    for path in ("/gradio_api/file=//a.invalid/b", "/gradio_api/file=https%3A//a.invalid/b", "/gradio_api/file=a"):
        assert tab.get(path).status_code == 404
    assert tab.delete("/config").status_code == 405


def test_a_busy_reply_has_retry_after_and_files_are_sent_whole() -> None:
    tab = client(AllowedRoutes, paths={"/gradio_api/queue/join"}, requests=1)
    full = tab.get("/gradio_api/queue/join")
    assert (full.status_code, full.headers["retry-after"]) == (503, "5")
    assert tab.get("/gradio_api/file=/a", headers={"range": "bytes=0-1"}).text == "whole"
    full = client(AllowedRoutes, paths={"/config"}, requests=0).get("/config")
    assert (full.status_code, full.headers["retry-after"]) == (503, "5")
