"""The security headers of every response."""

from __future__ import annotations

import re

from epiqa.web.security.headers import SecurityHeaders
from web.security.one_layer import client


def test_only_the_scripts_of_the_page_as_it_was_sent_may_run() -> None:
    tab = client(SecurityHeaders)
    answers = [tab.get("/") for _ in range(2)]
    nonces = [re.findall(r"'nonce-([^']+)'", answer.headers["content-security-policy"]) for answer in answers]
    assert nonces[0] != nonces[1]
    (nonce,) = nonces[0]
    mark = f' nonce="{nonce}"'
    assert answers[0].text == (
        f"<script{mark}>a</script><SCRIPT>b</SCRIPT><scripture><script{mark} src=x></script>"
    )
    assert "script-src 'self' 'nonce-" in answers[0].headers["content-security-policy"]
    assert tab.head("/").headers["content-security-policy"]


def test_every_response_tells_the_browser_what_it_may_do() -> None:
    for path in ("/", "/config", "/nowhere"):
        headers = client(SecurityHeaders).get(path).headers
        policy = headers["content-security-policy"]
        assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
        for part in ("default-src 'self'", "frame-ancestors 'none'", "object-src 'none'", "base-uri 'self'"):
            assert part in policy
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "camera=()" in headers["permissions-policy"]
    assert "cache-control" not in client(SecurityHeaders).get("/assets/a.js").headers


def test_a_file_is_a_download_without_any_rights() -> None:
    headers = client(SecurityHeaders).get("/gradio_api/file=/a.svg").headers
    assert headers["content-disposition"] == 'attachment; filename="a b.svg"'
    assert headers["content-security-policy"].startswith("sandbox; default-src 'none'")
