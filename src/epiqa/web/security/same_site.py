"""Refuses requests under foreign names and from foreign pages (DNS rebinding, cross-site requests).

A page of another site can make a browser send requests here, or point its own name at this address. `Origin` and
`Sec-Fetch-Site` reveal the first, `Host` the second. Gradio checks neither: it answers to every name, and for all
names but localhost it allows every origin, with cookies.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from epiqa.errors import EpiQAError

_NETLOC: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.IGNORECASE)
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Hosts:
    """The names of this server. `proxied` are those of a reverse proxy, which may rewrite `Host`."""

    own: frozenset[str]
    proxied: frozenset[str] = frozenset()
    any_address: bool = False  # DNS can redirect a name, but not an address

    def allow(self, host: str) -> bool:
        """Whether `host`, as in a `Host` header, is a name of this server."""
        name = host_name(host)
        return name in self.own or name in self.proxied or (self.any_address and _is_address(name))

    def allow_origin(self, origin: str, host: str) -> bool:
        """Whether a page of `origin` may send requests to `host`: the origin must be this server, port included."""
        scheme, _, netloc = origin.partition("://")
        if scheme not in ("http", "https") or not host_name(netloc):
            return False
        return netloc.lower() == host.lower() or host_name(netloc) in self.proxied

    def has_file(self, url: str) -> bool:
        """Whether `url` is the address of a file on this server."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        return parts.scheme in ("http", "https") and self.allow(parts.netloc) and "/gradio_api/file=" in parts.path


def hosts_of(host: str, allowed: Iterable[str] = ()) -> Hosts:
    """Returns the names of a server that listens on `host`, and of the proxies in front of it.

    Raises EpiQAError if one of `allowed` is not a plain name or address.
    """
    proxied = set()
    for name in allowed:
        if not host_name(name) or host_name(name) != name.strip("[]").lower():
            raise EpiQAError(
                f"{name!r} is not a host's name: give it without scheme and port, as docs.example.org."
            )
        proxied.add(host_name(name))
    own = _LOCAL | {host.strip("[]").lower()}
    everywhere = host in ("", "0.0.0.0", "::")
    if everywhere:
        own |= {socket.gethostname().lower()}
    return Hosts(frozenset(own), frozenset(proxied), any_address=everywhere)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server on `host`."""
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)


def host_name(netloc: str) -> str:
    """Returns the name or address in `netloc`, lower case, without port and brackets; "" if it is malformed."""
    found = _NETLOC.fullmatch(netloc)
    return found[1].strip("[]").lower() if found else ""


class SameSite:
    """ASGI middleware: answers only to the server's own names, and only to its own pages."""

    def __init__(self, app: ASGIApp, *, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # Gradio's page uses none
            return await send({"type": "websocket.close", "code": 1008})
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        return await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self._hosts.allow(host):
            name = host_name(host)
            way_out = f": allow it with epiqa serve --allowed-host {name}" if name else ""
            return PlainTextResponse(f"{name or 'This'} is not a name of this server{way_out}.", 421)
        if not all(self._hosts.allow_origin(origin, host) for origin in headers.getlist("origin")):
            return PlainTextResponse("This request comes from a page of another site.", 403)
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not _follows_link(scope, headers):
            return PlainTextResponse("This request comes from a page of another site.", 403)
        return None


def _follows_link(scope: Scope, headers: Headers) -> bool:
    """Whether the request follows a link from another site, which is harmless."""
    return (
        scope["method"] == "GET"
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
        and not scope["path"].startswith("/gradio_api/")
    )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
