"""Measure, compare with the targets, exit 1 if one is missed. Ratios are medians of runs made in turn."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.gains import weighing
from benchmarks.models import inline_weights, qdq_chain
from benchmarks.over_pty import NPUSCOPE
from benchmarks.over_ssh import over_ssh
from benchmarks.yardstick import yardstick_seconds

ROOT = Path(__file__).resolve().parents[1]
DENOISER = ROOT / "sample_models" / "denoiser_lstm_int8.onnx"
PYTHON = [sys.executable, "-c"]
RUNS = 5
LONGEST = 30.0
"""Seconds without a byte after which a program shows no more."""
PACKAGES = ("npuscope", "tui", "widgets", "themes")


def seconds(command: list[str]) -> float:
    """Wall time of one run."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return time.perf_counter() - start


def ratio(command: list[str], base: list[str]) -> float:
    """Median of the pairwise ratios of two commands run in turn, after one warm-up each."""
    seconds(command), seconds(base)
    return statistics.median(seconds(command) / seconds(base) for _ in range(RUNS))


def best(work: Callable[[], object]) -> float:
    """Median wall time of a call in this process."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def yardstick(folder: Path) -> list[Figure]:
    """What this machine takes for work that is none of ours; the target is what the one took on which all others were set."""
    path = qdq_chain(folder / "yardstick.onnx", 15000)
    taken = statistics.median(yardstick_seconds(path) for _ in range(RUNS))
    return [Figure("yardstick: onnx.load and shape inference of 50,000 nodes, CPU time", taken, 0.75, "s")]


def start_up() -> list[Figure]:
    # An installed program has its bytecode beside it, as onnx and Textual have here.
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", *(str(ROOT / name) for name in PACKAGES)], check=True
    )
    version = statistics.median(seconds([*NPUSCOPE, "--version"]) for _ in range(RUNS + 1))
    check = ratio([*NPUSCOPE, "check", str(DENOISER)], [*PYTHON, "import onnx, numpy"])
    return [
        Figure("npuscope --version", version, 0.15, "s"),
        Figure("check denoiser / import onnx, numpy", check, 3, "x"),
    ]


EMPTY_APP = [*PYTHON, "from textual.app import App; App().run()"]
COLUMNS, ROWS = 120, 40


def painted(command: list[str], shown: Callable[[bytes], bool]) -> float:
    """Seconds from the start of a process to what it shows in a terminal, as the terminal gets it."""
    begin = time.perf_counter()
    child, terminal = pty.fork()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        os.environ["TERM"] = "xterm-256color"
        os.execv(command[0], command)
    try:
        got = b""
        while not shown(got):
            if not select.select([terminal], [], [], LONGEST)[0]:
                raise RuntimeError(f"{command[0]} did not show what is waited for")
            got += os.read(terminal, 1 << 16)
        return time.perf_counter() - begin
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)


def terminal() -> list[Figure]:
    """To the model on the screen, against an empty Textual application."""

    def full(got: bytes) -> bool:
        return got.count(b" ") >= COLUMNS * (ROWS - 1)

    def model(got: bytes) -> bool:
        return b"id_82" in got and b"quit" in got  # the last rows of the graph, and the bar of keys

    own = [*NPUSCOPE, str(DENOISER)]
    painted(own, model), painted(EMPTY_APP, full)
    ratios = [painted(own, model) / painted(EMPTY_APP, full) for _ in range(RUNS)]
    return [Figure("TUI on the denoiser / empty Textual app, painted", statistics.median(ratios), 3, "x")]


def large_graph(folder: Path) -> list[Figure]:
    from npuscope.edits.kinds.split_output import SplitOutput
    from npuscope.machine.machine import target
    from npuscope.model.layers import fold
    from npuscope.model.load import load
    from npuscope.neural_art.dependencies import Dependencies
    from npuscope.neural_art.judge import judge
    from npuscope.neural_art.price.estimate import layer_cost
    from npuscope.neural_art.schedule.epochs import Placed, schedule
    from npuscope.neural_art.schedule.simulate import simulate
    from npuscope.npu.rule import Context
    from npuscope.npu.verdict import Placement
    from npuscope.session import Session
    from npuscope.snapshot import _untouched, analyse

    path = qdq_chain(folder / "chain.onnx", 3000)
    source = load(path)
    nodes = f"{len(source.graph.nodes):,} nodes"
    session = Session.open(source, target())
    before = analyse(session, keep=True)
    context = Context(session.graph, session.layers, session.target)
    name = [report.name for report in before.layers if report.layer.kind == "Conv"][500]

    placed = [Placed(report.layer, report.placement, report.cost) for report in before.layers]
    costs = {item.layer.name: item.cost for item in placed}

    def all_costs() -> None:
        for item in placed:
            layer_cost(item.layer, item.placement, session.target, session.layers)
        epochs = schedule(placed, session.layers, session.target)
        simulate(session.graph, session.layers, costs, epochs, session.target)

    split = session.edit(SplitOutput(name, (8, 8)))
    assert isinstance(split, Session)
    parts = [layer for layer in split.layers.layers if layer.name.startswith(name)]
    assert len(parts) > 1

    def placed_again() -> None:
        after = session.edit(SplitOutput(name, (8, 8)))
        assert isinstance(after, Session)
        known = _untouched(Dependencies(after.graph, after.layers, after.target), before, worded=True)
        around = Context(after.graph, after.layers, after.target)
        fresh = [layer for layer in after.layers.layers if layer.name not in known]
        assert 0 < len(fresh) < 50
        for layer in fresh:
            judge(layer, around)

    def evaluated_again() -> None:
        after = session.edit(SplitOutput(name, (8, 8)))
        assert isinstance(after, Session)
        analyse(after, before)

    return [
        Figure(f"edit and analysis after a split, {nodes}", best(evaluated_again), 0.12, "s"),
        Figure(
            f"placement, {nodes}", best(lambda: [judge(x, context) for x in session.layers.layers]), 0.5, "s"
        ),
        Figure(f"placement after a split, {nodes}", best(placed_again), 0.03, "s"),
        Figure(f"cost of all layers, epochs, memory and time, {nodes}", best(all_costs), 0.5, "s"),
        Figure(
            "cost of the layers a split made",
            best(lambda: [layer_cost(x, Placement.HW, split.target, split.layers) for x in parts]),
            0.005,
            "s",
        ),
        Figure(f"load, {nodes}", best(lambda: load(path)), 1.0, "s"),
        Figure(f"fold into layers, {nodes}", best(lambda: fold(source.graph)), 0.5, "s"),
        Figure(f"analyse, {nodes}", best(lambda: analyse(session)), 0.5, "s"),
    ]


LOAD = "import sys; from npuscope.model.load import load; load(sys.argv[1])"
IMPORT = "import onnx, numpy, npuscope.model.load"


def large_weights(folder: Path) -> list[Figure]:
    path = inline_weights(folder / "large.onnx", 500)
    base = statistics.median(seconds([*PYTHON, IMPORT]) for _ in range(RUNS))
    loading = statistics.median(seconds([*PYTHON, LOAD, str(path)]) for _ in range(RUNS))
    before = peak_memory(IMPORT)
    return [
        Figure("load 500 MB of inline weights, imports left out", loading - base, 0.35, "s"),
        Figure("memory for it, imports left out", peak_memory(LOAD, str(path)) - before, 45, "MB"),
    ]


def plans(folder: Path) -> list[Figure]:
    """A whole plan: a sample, 1,000 layers that need nothing, and 1,000 of which each Conv needs an edit."""
    from npuscope.machine.machine import target
    from npuscope.model.load import load
    from npuscope.planning.plan import Budget
    from npuscope.planning.planner import plan
    from npuscope.session import Session
    from npuscope.snapshot import analyse

    figures = []
    cases = [(DENOISER, "the denoiser", 2.0)]
    cases += [
        (
            qdq_chain(folder / f"plan{channels}.onnx", 1000, channels),
            f"1,000 layers, {channels} channels",
            20.0,
        )
        for channels in (16, 257)
    ]
    for path, name, bound in cases:
        session = Session.open(load(path), target("2.1"))
        snapshot = analyse(session)
        start = time.perf_counter()
        made = plan(session, snapshot, Budget(seconds=60))
        figures.append(
            Figure(f"plan {name}: {len(made.steps)} steps", time.perf_counter() - start, bound, "s")
        )
    return figures


CASES = ROOT.parent / "shared" / "groundtruth" / "cases"


def artefacts() -> list[Figure]:
    """Reading and comparing what ST's tools wrote; nothing where the public artefacts are not here."""
    from npuscope.neural_art.artefacts.artefact import read
    from npuscope.services.open import compare_files

    if not CASES.is_dir():
        return []
    figures = []
    for name in ("tmp.dot", "c_info.json"):
        path = max(CASES.glob(f"*/{name}"), key=lambda path: path.stat().st_size)
        size = path.stat().st_size / 1e6
        figures.append(Figure(f"read {name}, {size:.1f} MB", best(partial(read, path)), 1.0, "s"))
    case = CASES / "ocr_det_160"
    files = [case / name for name in ("model.onnx", "c_info.json", "tmp.dot", "report.txt")]
    return [*figures, Figure("compare a model of 960 nodes", best(partial(compare_files, files)), 1.0, "s")]


def ordering() -> list[Figure]:
    """What fixes save, by which tables are ordered; nothing without the public model."""
    path = CASES / "yolov11n_micro_224" / "model.onnx"
    if not path.is_file():
        return []
    layers, taken = weighing(path)
    return [Figure(f"gains of the findings of {layers} layers, CPU time", taken, 3.0, "s")]


def matching(folder: Path) -> list[Figure]:
    """Matching by order and shape alone, the slowest way."""
    from npuscope.model.layers import fold
    from npuscope.model.load import load
    from npuscope.neural_art.artefacts.matching import match
    from npuscope.neural_art.artefacts.values import Node

    source = load(qdq_chain(folder / "matched.onnx", 3000))
    layers = fold(source.graph).layers
    nodes = []
    for i, layer in enumerate(layers):
        word = "Conv2D" if layer.kind == "Conv" else layer.kind
        nodes.append(Node(f"{word}_{i}", "", output_shape=layer.output.dims if layer.output else None))
    work = partial(match, layers, source.graph, nodes)
    return [Figure(f"match {len(layers):,} layers by order", best(work), 1.0, "s")]


def many_models(folder: Path) -> list[Figure]:
    """`check` of several models in one call against a call for each."""
    paths = [str(qdq_chain(folder / f"many{i}.onnx", 1500)) for i in range(6)]

    def loop() -> float:
        return sum(seconds([*NPUSCOPE, "check", path, "--json"]) for path in paths)

    ratios = [seconds([*NPUSCOPE, "check", *paths, "--json"]) / loop() for _ in range(RUNS)]
    return [Figure("check of 6 models, one call : six calls", statistics.median(ratios), 1 / 1.7, "x")]


PEAK = """
from pathlib import Path
line = next(l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmHWM"))
print(int(line.split()[1]) * 1024)
"""


def peak_memory(code: str, *arguments: str) -> float:
    """Peak resident memory of a Python process, in MB; its own word, since a child's rusage includes its parent."""
    run = subprocess.run([*PYTHON, code + PEAK, *arguments], check=True, capture_output=True, text=True)
    return int(run.stdout) / 1e6


def main() -> int:
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        groups: tuple[Callable[[], list[Figure]], ...] = (
            lambda: yardstick(place), start_up, terminal, lambda: over_ssh(place), lambda: large_graph(place), lambda: large_weights(place), artefacts,
            lambda: matching(place), ordering, lambda: plans(place), lambda: many_models(place),
        )  # fmt: skip
        for group in groups:
            for figure in group():
                figures.append(figure)
                verdict = "ok    " if figure.value <= figure.target else "MISSED"
                print(
                    f"{verdict} {figure.value:9.3f} {figure.unit:2} (target {figure.target:g})  {figure.name}",
                    flush=True,
                )
    return 0 if all(figure.value <= figure.target for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
