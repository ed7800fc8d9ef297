"""What it takes to find out what the fixes of a model save."""

from __future__ import annotations

import time
from pathlib import Path


def weighing(path: Path) -> tuple[int, float]:
    """Layers of a model, and seconds of CPU time to weigh their findings: keys and frames of the explorer run beside it."""
    from npuscope.machine.machine import target
    from npuscope.model.load import load
    from npuscope.planning.gains import WORK_BEHIND, weigh
    from npuscope.session import Session
    from npuscope.snapshot import analyse

    session = Session.open(load(path), target())
    snapshot = analyse(session, keep=True)
    start = time.process_time()
    for _ in weigh(session, snapshot, WORK_BEHIND):
        pass
    return len(snapshot.layers), time.process_time() - start
