"""Whose turn it is, and until when."""

import logging

import pytest

from serving.backend import BackendTimeout, BackendUnavailable
from serving.rotation import COOL_DOWN_S, WARNING_INTERVAL_S, Rotation, Server, share_of


def order(rotation: Rotation[None], now: float) -> str:
    return "".join(server.address for server in rotation.in_turn(now))


@pytest.fixture
def rotation() -> Rotation[None]:
    return Rotation(dict.fromkeys("abc"))


def server_of(rotation: Rotation[None], address: str) -> Server[None]:
    """Find a server; three turns leave the first one's turn where it was."""
    turns = [rotation.in_turn(0) for _ in range(3)]
    return next(server for server in turns[0] if server.address == address)


def test_servers_take_turns(rotation: Rotation[None]) -> None:
    assert [order(rotation, 0) for _ in range(4)] == ["abc", "bca", "cab", "abc"]


def test_a_server_that_cools_down_comes_last(rotation: Rotation[None]) -> None:
    server_of(rotation, "a").cool_down(0)
    assert [order(rotation, COOL_DOWN_S / 2) for _ in range(3)] == ["bca", "bca", "cba"]


def test_one_request_tries_a_server_that_has_cooled_down(rotation: Rotation[None]) -> None:
    server_of(rotation, "a").cool_down(0)
    assert [order(rotation, COOL_DOWN_S) for _ in range(4)] == ["abc", "bca", "cba", "bca"]
    assert order(rotation, 2 * COOL_DOWN_S - 0.1) == "bca"


def test_an_answer_ends_the_cooling_down(rotation: Rotation[None]) -> None:
    server = server_of(rotation, "a")
    server.cool_down(0)
    server.answered()
    assert [order(rotation, 0) for _ in range(4)] == ["abc", "bca", "cab", "abc"]


def test_servers_that_all_cool_down_keep_their_turns(rotation: Rotation[None]) -> None:
    for address in "abc":
        server_of(rotation, address).cool_down(0)
    assert [order(rotation, 1) for _ in range(3)] == ["abc", "bca", "cab"]


@pytest.mark.parametrize(
    ("cooling", "later", "deadline", "until"),
    [
        ("", "bc", 130, 110),
        ("", "b", 130, 115),
        ("", "", 130, 130),
        # No time is kept for a server that cools down, unless the one that is asked does so too.
        ("c", "bc", 130, 115),
        ("bc", "bc", 130, 130),
        ("abc", "bc", 130, 110),
        ("a", "bc", 130, 110),
        # Less than a second is no fair chance.
        ("", "bc", 102, 101),
        ("", "bc", 100.5, 100.5),
        ("", "bc", 99, 99),
    ],
)
def test_share_of_a_deadline(cooling: str, later: str, deadline: float, until: float) -> None:
    """Server a is asked at 100 s, with the later ones behind it."""
    servers: dict[str, Server[None]] = {address: Server(address, None) for address in "abc"}
    for address in cooling:
        servers[address].cool_down(100)
    given = share_of(servers["a"], [servers[address] for address in later], 100, deadline)
    assert given == pytest.approx(until)


def test_warnings_name_the_server_and_do_not_flood(caplog: pytest.LogCaptureFixture) -> None:
    one, other = Server("one:8001", None), Server("other:8001", None)
    for now in (0, 1, WARNING_INTERVAL_S - 0.1):
        one.warn(BackendTimeout, now)
        other.warn(BackendUnavailable, now)
    one.warn(BackendTimeout, WARNING_INTERVAL_S)
    timeout = ("cxr.serving", logging.WARNING, "model server one:8001 failed: BackendTimeout")
    away = ("cxr.serving", logging.WARNING, "model server other:8001 failed: BackendUnavailable")
    assert caplog.record_tuples == [timeout, away, timeout]
