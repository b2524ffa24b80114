"""Token buckets, and who counts as one client."""

from __future__ import annotations

import pytest

from epiqa.web.security.rate_limit import TokenBuckets, client_of
from web.security.one_layer import Clock


def test_a_bucket_refills_and_the_number_of_keys_is_limited() -> None:
    clock = Clock()
    buckets = TokenBuckets(2, 0.5, keys=3, clock=clock)
    buckets.take("a", 2)
    assert (buckets.wait("a"), buckets.wait("b"), buckets.wait("b", 3)) == (2.0, 0.0, 2.0)
    clock.now += 1
    assert buckets.wait("a") == 1.0
    clock.now += 100
    assert buckets.wait("a", 2) == 0.0 and buckets.wait("a", 2.5) == 1.0
    for key in "bcdef":
        buckets.take(key)
    assert len(buckets) == 3


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("testclient", "testclient"),
        (None, ""),
    ],
)
def test_a_client_is_an_address_or_a_whole_network_of_addresses(address: str | None, client: str) -> None:
    assert client_of({"client": (address, 1) if address else None}) == client
