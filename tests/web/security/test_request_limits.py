"""The limits on bodies, files and the upload folder."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from epiqa.web.security.request_limits import BodyLimits, Limits, UploadFolder, _PartCounter
from epiqa.web.security.same_site import Hosts
from web.security.one_layer import client


def bodies(tmp_path: Path, **limits: Any) -> TestClient:
    return client(BodyLimits, limits=Limits(**limits), folder=tmp_path, hosts=Hosts(frozenset({"127.0.0.1"})))


def files(count: int, size: int = 10) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", (f"{number}.txt", b"x" * size)) for number in range(count)]


def test_a_body_is_bounded_while_it_comes(tmp_path: Path) -> None:
    sent = 0

    def endless() -> Any:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b'"' + b"x" * 998 + b'"'

    tab = bodies(tmp_path, body=2000)
    fits = json.dumps("x" * 1990).encode()
    kind = {"content-type": "application/json"}
    assert tab.post("/a", content=fits, headers=kind).json()["body"] == fits.decode()
    assert tab.post("/a", content=b'"' + b"x" * 2000 + b'"', headers=kind).status_code == 413
    assert tab.post("/a", content=endless(), headers=kind).status_code == 413


@pytest.mark.parametrize(
    ("file", "is_taken"),
    [
        ({"path": "/tmp/x", "meta": {"_type": "gradio.FileData"}}, True),
        ({"path": "/tmp/x", "url": "http://127.0.0.1:7860/gradio_api/file=/tmp/x"}, True),
        ({"path": "/tmp/x", "url": None}, True),
        ({"url": "http://a.invalid"}, True),  # no file
        ({"path": "http://a.invalid/x", "meta": {"_type": "gradio.FileData"}}, False),
        ({"path": " HTTPS://a.invalid/x"}, False),
        ({"path": "//a.invalid/x"}, False),
        ({"path": "data:text/html,x"}, False),
        ({"path": ["http://a.invalid"]}, False),
        ({"path": "/tmp/x", "url": "http://a.invalid/gradio_api/file=/tmp/x"}, False),
        ({"path": "/tmp/x", "url": "http://127.0.0.1:7860/logout"}, False),
        ({"path": "/tmp/x", "url": "http://127.0.0.1:7860@a.invalid/gradio_api/file=/x"}, False),
    ],
)
@pytest.mark.parametrize("wrap", [lambda file: file, lambda file: {"data": [1, [{"deep": file}]]}])
def test_a_file_given_as_a_url_is_refused(
    tmp_path: Path, file: dict[str, Any], is_taken: bool, wrap: Callable[[Any], Any]
) -> None:
    answer = bodies(tmp_path).post("/a", json=wrap(file))
    assert answer.status_code == (200 if is_taken else 400)
    escaped = json.dumps(wrap(file)).replace("path", "p\\u0061th")
    again = bodies(tmp_path).post("/a", content=escaped, headers={"content-type": "application/json"})
    assert again.status_code == answer.status_code


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json; charset=utf-8", b"{}", 200),
        ("application/json", b"{", 400),
        ("application/json", b"[" * 100_000, 400),
        ("application/json", b"\xff", 400),
        ("text/plain", b"{}", 415),
        ("application/x-www-form-urlencoded", b"a=b", 415),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("", b"{}", 415),
        ("", b"", 200),
    ],
)
def test_a_request_is_json(tmp_path: Path, kind: str, body: bytes, status: int) -> None:
    answer = bodies(tmp_path).post("/a", content=body, headers={"content-type": kind})
    assert answer.status_code == status


def test_the_files_of_a_request_are_counted(tmp_path: Path) -> None:
    tab = bodies(tmp_path, files=3)
    assert tab.post("/gradio_api/upload", files=files(3)).json() == 3
    answer = tab.post("/gradio_api/upload", files=files(4))
    assert (answer.status_code, answer.text) == (413, "At most 3 files may be sent at once.")
    assert tab.post("/gradio_api/upload", content=b"x").status_code == 400
    assert tab.post("/gradio_api/upload", json={}).status_code == 400


def test_the_files_of_an_hour_are_counted(tmp_path: Path) -> None:
    tab = bodies(tmp_path, files_an_hour=5)
    assert [tab.post("/gradio_api/upload", files=files(2)).status_code for _ in range(3)] == [200, 200, 429]
    assert 600 < int(tab.post("/gradio_api/upload", files=files(2)).headers["retry-after"]) <= 1440


def test_the_upload_folder_is_bounded(tmp_path: Path) -> None:
    tab = bodies(tmp_path, uploads=3000)
    assert tab.post("/gradio_api/upload", files=files(2, 1000)).status_code == 200
    (tmp_path / "held").write_bytes(b"x" * 1500)
    answer = tab.post("/gradio_api/upload", files=files(2, 1000))
    assert answer.status_code == 507 and "no room" in answer.text
    (tmp_path / "held").unlink()
    assert tab.post("/gradio_api/upload", files=files(2, 1000)).status_code == 200


def test_old_files_are_removed_from_the_upload_folder(tmp_path: Path) -> None:
    outside = tmp_path.parent / "outside"
    outside.write_bytes(b"x" * 50)
    held = tmp_path / "held"
    (held / "hash").mkdir(parents=True)
    for name, hours in (("old", 2.1), ("new", 1.9)):
        path = held / "hash" / name
        path.write_bytes(b"x" * 100)
        then = time.time() - hours * 3600
        os.utime(path, (then, then))
    (held / "link").symlink_to(outside)
    for name, hours in (("left", 2.1), ("made", 1.9)):
        (held / name / "inside").mkdir(parents=True)
        then = time.time() - hours * 3600
        for path in (held / name / "inside", held / name):
            os.utime(path, (then, then))
    folder = UploadFolder(held, Limits(uploads=1000, keep_hours=2))
    assert 1000 - 100 - 200 < folder.room() < 900
    left = [str(path.relative_to(held)) for path in sorted(held.rglob("*"))]
    assert left == ["hash", "hash/new", "left", "link", "made", "made/inside"]  # "left" was just changed
    assert UploadFolder(held, Limits(kept_files=2)).room() == 0
    assert UploadFolder(tmp_path / "none", Limits(uploads=7)).room() == 7


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_parts_are_counted_in_chunks_of_any_size(size: int) -> None:
    body = b"".join(b"--bound\r\n\r\n--boun--boundless --bo\r\n" for _ in range(5)) + b"--bound--\r\n"
    counter = _PartCounter(b"bound")
    for start in range(0, len(body), size):
        counter.feed(body[start : start + size])
    assert counter.parts == body.count(b"--bound") - 1 == 10
