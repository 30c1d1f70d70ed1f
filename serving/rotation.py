"""Which of several servers is asked next, and how long it may take.

Servers take turns. One that was away or silent comes last while it cools down. Then one request tries it again,
and the others go on passing it over until it has answered. A server is never left out: if all others fail, it is asked.
"""

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from serving.backend import BackendError

COOL_DOWN_S = 10.0
WARNING_INTERVAL_S = 5.0
# A server that got less than this had no fair chance: it is not held against it, and time is not split below it.
LEAST_SHARE_S = 1.0

Client = TypeVar("Client")

log = logging.getLogger("cxr.serving")


@dataclass(slots=True)
class Server(Generic[Client]):
    """One server and what is known of it. Every time is the event loop's, in seconds."""

    address: str
    client: Client
    suspect: bool = False
    cools_until: float = -math.inf
    silent_until: float = -math.inf

    def cool_down(self, now: float) -> None:
        """Put the server last for a while, because it was away or silent."""
        self.suspect = True
        self.cools_until = now + COOL_DOWN_S

    def answered(self) -> None:
        """Take the server's turns up again."""
        self.suspect = False
        self.cools_until = -math.inf

    def is_cooling(self, now: float) -> bool:
        """Say whether the server comes last."""
        return now < self.cools_until

    def warn(self, error: type[BackendError], now: float) -> None:
        """Log a failure, unless one of this server was logged just now."""
        if now >= self.silent_until:
            self.silent_until = now + WARNING_INTERVAL_S
            log.warning("model server %s failed: %s", self.address, error.__name__)


class Rotation(Generic[Client]):
    """The servers, by address."""

    def __init__(self, clients: Mapping[str, Client]) -> None:
        self._servers = [Server(address, client) for address, client in clients.items()]
        self._turn = 0

    def in_turn(self, now: float) -> list[Server[Client]]:
        """Order the servers for one request, and count that as a turn."""
        first = self._turn
        self._turn = (first + 1) % len(self._servers)
        turns = self._servers[first:] + self._servers[:first]
        order = sorted(turns, key=lambda server: server.is_cooling(now))
        if order[0].suspect:
            # This request is the trial: until it has ended, others had better not wait for this server too.
            order[0].cool_down(now)
        return order


def share_of(server: Server[Client], later: Sequence[Server[Client]], now: float, deadline: float) -> float:
    """Find until when a server may take to answer, so that time is left to ask the next ones.

    Each gets an equal share of what is left: of 30 s and two servers, the first gets 15 s and the second the rest. That
    is many times what an inference takes, so a slow but healthy server is seldom given up on. No time is kept for
    a server that cools down, as long as this one does not.

    Parameters
    ----------
    server
        The server that is asked now.
    later
        The servers that would be asked after it.
    now, deadline
        The event loop's times, in seconds.
    """
    left = deadline - now
    share = left / (1 + _worth_waiting_for(server, later, now))
    return now + min(left, max(share, LEAST_SHARE_S))


def _worth_waiting_for(server: Server[Client], later: Iterable[Server[Client]], now: float) -> int:
    return sum(server.is_cooling(now) or not other.is_cooling(now) for other in later)
