"""Rate limits by client: token buckets in bounded memory."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from starlette.types import Scope

EVERYONE: Final = "everyone"


class TokenBuckets:
    """One bucket of tokens per key, full at first and refilled steadily.

    The `keys` most recently used buckets are remembered; a forgotten one is full again.
    """

    def __init__(
        self,
        capacity: float,
        per_second: float,
        *,
        keys: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._capacity = capacity
        self._per_second = per_second
        self._keys = keys
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._levels)

    def wait(self, key: str, tokens: float = 1.0) -> float:
        """Returns the seconds until `key` has enough tokens, 0.0 if it has them now."""
        return max(0.0, tokens - self._level(key)) / self._per_second

    def take(self, key: str, tokens: float = 1.0) -> None:
        """Takes tokens from `key`; its bucket never falls below zero."""
        self._levels[key] = (max(0.0, self._level(key) - tokens), self._clock())
        self._levels.move_to_end(key)
        while len(self._levels) > self._keys:
            self._levels.popitem(last=False)

    def _level(self, key: str) -> float:
        level, since = self._levels.get(key, (self._capacity, 0.0))
        return min(self._capacity, level + (self._clock() - since) * self._per_second)


def client_of(scope: Scope) -> str:
    """Returns the client of a request: its IPv4 address, or the /64 network of its IPv6 address."""
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return str(host)
    if address.version == 4:
        return str(address)
    return str(address.ipv4_mapped or ipaddress.IPv6Network((int(address), 64), strict=False))
