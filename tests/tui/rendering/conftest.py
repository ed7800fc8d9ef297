"""What is drawn, and how often, is looked at here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from textual.pilot import Pilot

Settle = Callable[[Pilot[int]], Awaitable[None]]


@pytest.fixture
def settle(settle: Settle) -> Settle:
    """Wait for the application to come to rest, and draw it however often it was drawn."""

    async def drawn(pilot: Pilot[int]) -> None:
        await settle(pilot)
        await pilot.pause()

    return drawn
