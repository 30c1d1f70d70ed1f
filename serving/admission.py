"""How many requests run at a time, and who is next."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from serving.backend import Priority


class PrioritySlots:
    """A semaphore whose waiters go by priority, then by arrival.

    With a plain semaphore a prediction would wait behind every explanation that came first, and the model
    server's own priority levels would never get to see it.
    """

    def __init__(self, slots: int) -> None:
        if slots < 1:
            raise ValueError(f"There must be at least one slot. Received: slots={slots}")
        self._free = slots
        self._arrivals = itertools.count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def slot(self, priority: Priority) -> AsyncIterator[None]:
        """Wait for a slot and hold it inside the `async with` block."""
        await self._acquire(priority)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, priority: Priority) -> None:
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._arrivals), turn))
        try:
            await turn
        except asyncio.CancelledError:
            # The slot may have been handed over just before the waiter gave up.
            if not turn.cancelled():
                self._release()
            raise

    def _release(self) -> None:
        while self._waiting:
            turn = heapq.heappop(self._waiting)[-1]
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
