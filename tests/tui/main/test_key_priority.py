"""Work behind the screen gives way to keys, but not to the one that began it, and not for ever."""

from __future__ import annotations

import pytest

from npuscope.model.budget import giving_way, tick
from npuscope.tui import key_priority


class Clock:
    def __init__(self) -> None:
        self.now, self.slept, self.held_down = 100.0, 0.0, False

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds
        if self.held_down:
            key_priority.key_pressed()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    monkeypatch.setattr(key_priority, "monotonic", one.monotonic)
    monkeypatch.setattr(key_priority, "sleep", one.sleep)
    monkeypatch.setattr(key_priority, "_pressed", 0.0)
    return one


def test_a_tick_waits_while_a_key_is_handled(clock: Clock) -> None:
    with giving_way(key_priority.pausing()):
        tick()
        assert clock.slept == 0, "nobody pressed anything"
        clock.now += 1.0
        key_priority.key_pressed()
        tick()
        assert key_priority.FRAME <= clock.slept < 2 * key_priority.FRAME
        before = clock.slept
        tick()
        assert clock.slept == before
    key_priority.key_pressed()
    tick()
    assert clock.slept == before, "only what was asked to gives way"


def test_the_key_that_began_the_work_does_not_hold_it_up(clock: Clock) -> None:
    key_priority.key_pressed()
    clock.now += 0.001
    pause = key_priority.pausing()
    pause()
    assert clock.slept == 0


def test_a_key_held_down_does_not_stop_the_work(clock: Clock) -> None:
    pause = key_priority.pausing()
    clock.now += 1.0
    clock.held_down = True
    key_priority.key_pressed()
    pause()
    assert clock.slept < 2 * key_priority.FRAME
    before = clock.slept
    pause()
    assert clock.slept == before, "it goes on for a while"
    clock.now += key_priority.SHARE
    key_priority.key_pressed()
    pause()
    assert clock.slept > before
