"""What a long computation reports to, and what may end it before its time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from npuscope.record import dataclass

Progress = Callable[[int, int], None]
"""Called with (done, total)."""

ShouldStop = Callable[[], bool]
"""Asked between two pieces of work."""

Item = TypeVar("Item")


class StoppedError(Exception):
    """A computation ended because its job was stopped."""


@dataclass(frozen=True, slots=True)
class Job:
    """The run context of a computation: whom it tells how far it is, and who may stop it. By default nobody."""

    progress: Progress | None = None
    should_stop: ShouldStop | None = None

    def report(self, done: int, total: int) -> None:
        """Say how far the work is."""
        if self.progress is not None:
            self.progress(done, total)

    def check(self) -> None:
        """Raises StoppedError where the job was stopped."""
        if self.should_stop is not None and self.should_stop():
            raise StoppedError

    def each(self, items: Sequence[Item]) -> Iterator[Item]:
        """The items, one after the other: reports before each and after the last, raises StoppedError between."""
        for done, item in enumerate(items):
            self.check()
            self.report(done, len(items))
            yield item
        self.report(len(items), len(items))

    def reporting(self, progress: Progress | None) -> Job:
        """The same job, its progress told to another."""
        return replace(self, progress=progress)


QUIET = Job()
"""Reports to nobody and runs to its end."""
