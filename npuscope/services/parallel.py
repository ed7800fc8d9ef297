"""The same work for many items, on all cores: processes that outlive an item that ends one of them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from npuscope.jobs import QUIET, Job
from npuscope.model.budget import Budget, limited, limits
from npuscope.model.errors import ModelError, one_line
from npuscope.record import dataclass

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_WORKERS = 64


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an item has no result, in a line."""

    words: str


def cores() -> int:
    """Cores that this process may use."""
    with contextlib.suppress(AttributeError, OSError):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def each_in_parallel(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int | None = None,
    job: Job = QUIET,
    size: Callable[[Item], float] = lambda item: 0.0,
) -> list[Result | Failure]:
    """The function's result for each item, in their order; a Failure where it raises or its process dies.

    The largest items are begun first, so that none of them is left alone in the end. Function, items and results must pass between processes. Raises StoppedError where the job is stopped.
    """
    results: list[Result | Failure] = [Failure("was not reached")] * len(items)
    order = sorted(range(len(items)), key=lambda index: -size(items[index]))
    pool = _Pool(function, items, order, min(workers or cores(), len(items), MOST_WORKERS))
    try:
        for done, (index, result) in enumerate(pool.run(), start=1):
            results[index] = result
            job.report(done, len(items))
            job.check()
    finally:
        pool.close()
    return results


class _Worker(Generic[Item, Result]):
    def __init__(self, function: Callable[[Item], Result]) -> None:
        # To fork takes no time, to start anew that of all imports; with threads about, only the latter is safe.
        forks = sys.platform == "linux" and threading.active_count() == 1
        context: Any = multiprocessing.get_context("fork" if forks else "spawn")
        self.connection, other = context.Pipe()
        self.process: BaseProcess = context.Process(
            target=_serve, args=(other, function, limits()), daemon=True
        )
        self.process.start()
        other.close()
        self.item = -1

    def give(self, index: int, item: Item) -> None:
        self.item = index
        self.connection.send(item)

    def end(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.join()


class _Pool(Generic[Item, Result]):
    def __init__(
        self, function: Callable[[Item], Result], items: Sequence[Item], order: Sequence[int], count: int
    ) -> None:
        self.function, self.items = function, items
        self.pending = deque(order)
        self.workers: list[_Worker[Item, Result]] = []
        for _ in range(count):
            self.start()

    def start(self) -> None:
        """One more process, at work on the next item."""
        if self.pending:
            worker: _Worker[Item, Result] = _Worker(self.function)
            self.workers.append(worker)
            index = self.pending.popleft()
            worker.give(index, self.items[index])

    def run(self) -> Iterator[tuple[int, Result | Failure]]:
        while self.workers:
            ready = wait([worker.connection for worker in self.workers])
            for worker in [worker for worker in self.workers if worker.connection in ready]:
                index = worker.item
                try:
                    result = worker.connection.recv()
                except (EOFError, OSError):
                    worker.process.join(1.0)
                    words = f"the process that read it ended ({_ending(worker.process.exitcode)})"
                    self.drop(worker)
                    yield index, Failure(words)
                    self.start()
                    continue
                if self.pending:
                    following = self.pending.popleft()
                    worker.give(following, self.items[following])
                else:
                    self.drop(worker)
                yield index, result

    def drop(self, worker: _Worker[Item, Result]) -> None:
        self.workers.remove(worker)
        worker.end()

    def close(self) -> None:
        for worker in list(self.workers):
            self.workers.remove(worker)
            worker.end()


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"status {code}"


def _serve(connection: Connection[Any, Any], function: Callable[[Any], Any], budget: Budget) -> None:
    """A worker's life: until the other end closes. Ctrl-C is the parent's to answer; its limits are the worker's too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with limited(budget):
        _answer(connection, function)


def _answer(connection: Connection[Any, Any], function: Callable[[Any], Any]) -> None:
    while True:
        try:
            item = connection.recv()
        except (EOFError, OSError):
            return
        try:
            result = function(item)
        except ModelError as error:
            result = Failure(str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours is that item's result, the others go on
            result = Failure(f"internal error: {type(error).__name__}: {one_line(str(error))}")
        connection.send(result)
