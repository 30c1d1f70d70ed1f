import asyncio

import pytest

from serving.admission import PrioritySlots
from serving.backend import Priority


async def turns(slots: PrioritySlots, log: list[str], name: str, priority: Priority) -> None:
    async with slots.slot(priority):
        log.append(name)
        await asyncio.sleep(0)


async def test_predictions_overtake_explanations_and_equals_go_by_arrival() -> None:
    slots, log = PrioritySlots(1), list[str]()
    async with slots.slot(Priority.EXPLANATION):
        names = {
            "e1": Priority.EXPLANATION,
            "e2": Priority.EXPLANATION,
            "p1": Priority.PREDICTION,
            "p2": Priority.PREDICTION,
        }
        tasks = [asyncio.create_task(turns(slots, log, name, priority)) for name, priority in names.items()]
        await asyncio.sleep(0)
        assert log == []
    await asyncio.gather(*tasks)
    assert log == ["p1", "p2", "e1", "e2"]


@pytest.mark.parametrize("count", [1, 3])
async def test_no_more_run_at_a_time_than_there_are_slots(count: int) -> None:
    slots, running, most = PrioritySlots(count), 0, 0

    async def work() -> None:
        nonlocal running, most
        async with slots.slot(Priority.PREDICTION):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.001)
            running -= 1

    await asyncio.gather(*(work() for _ in range(10)))
    assert most == count


async def test_a_waiter_that_gives_up_takes_no_slot() -> None:
    slots, log = PrioritySlots(1), list[str]()
    async with slots.slot(Priority.PREDICTION):
        waiter = asyncio.create_task(turns(slots, log, "gave up", Priority.PREDICTION))
        await asyncio.sleep(0)
        waiter.cancel()
    await asyncio.wait_for(turns(slots, log, "next", Priority.PREDICTION), 1)
    assert log == ["next"]


async def test_a_waiter_cancelled_as_its_turn_comes_hands_the_slot_on() -> None:
    slots, log = PrioritySlots(1), list[str]()
    async with slots.slot(Priority.PREDICTION):
        cancelled = asyncio.create_task(turns(slots, log, "cancelled", Priority.PREDICTION))
        following = asyncio.create_task(turns(slots, log, "following", Priority.PREDICTION))
        await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.wait_for(following, 1)
    assert log == ["following"]


async def test_an_error_inside_gives_the_slot_back() -> None:
    slots, log = PrioritySlots(1), list[str]()
    with pytest.raises(KeyError):
        async with slots.slot(Priority.PREDICTION):
            raise KeyError
    await asyncio.wait_for(turns(slots, log, "next", Priority.PREDICTION), 1)


def test_there_must_be_a_slot() -> None:
    with pytest.raises(ValueError, match="slots=0"):
        PrioritySlots(0)
