"""Every bad input is refused in a line, or opened, judged and its fixes tried; quickly, and without much memory."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from builders.models import analysed

from corpus import contradictions, formats, graphs, more_nodes, nodes, wiring
from corpus.case import EITHER, OPENS, Case
from npuscope.machine.machine import DEFAULT_TOOLCHAIN
from npuscope.model.errors import ModelError
from npuscope.model.load import load
from npuscope.planning.gains import GainScope, weighed
from npuscope.reports.check.text import check_text
from npuscope.reports.json_report import check_json
from npuscope.session import Session

CASES = (
    *formats.cases(),
    *nodes.cases(),
    *more_nodes.cases(),
    *graphs.cases(),
    *wiring.cases(),
    *contradictions.cases(),
)
SECONDS = 10
GROWTH = 800 << 20
"""Bytes by which one input may raise the peak of the process, which has some 200 MB of its own."""
PEAK_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in which the system counts it."""


def test_there_are_enough() -> None:
    assert len(CASES) >= 300 and len({case.name for case in CASES}) == len(CASES)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_input(case: Case, tmp_path: Path) -> None:
    import resource

    path = case.write(tmp_path)
    peak, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.thread_time()
    try:
        source = load(path)
        snapshot = analysed(source, DEFAULT_TOOLCHAIN)
    except ModelError as error:
        message = str(error)
        assert case.expected not in (OPENS,) and not case.code, message
        assert "\n" not in message and "\x1b" not in message and len(message) < 2000
        assert case.expected == EITHER or case.expected in message
    else:
        session = Session.open(source, snapshot.target)
        weighed(session, snapshot, GainScope.AUTO)
        text = check_text(session, snapshot)
        check_json(session, snapshot)
        assert "\x1b" not in text and "\x07" not in text and "\u202e" not in text
        assert case.expected in (OPENS, EITHER) or case.code, f"opened: {case.name}"
        codes = {finding.code for report in snapshot.layers for finding in report.findings}
        assert not case.code or case.code in codes
    assert time.thread_time() - start < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) * PEAK_UNIT < GROWTH
