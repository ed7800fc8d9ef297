"""Compare the simulated cost with what the compiler estimated and what boards measured.

Usage: compare_cost.py [--shared FOLDER] [--layers] [--write]     prints tables as Markdown; --write puts them in
docs/accuracy-cost.md.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from npuscope.neural_art.artefacts.artefact import read
from npuscope.neural_art.artefacts.matching import Match, match
from npuscope.npu.cost import Epoch
from npuscope.npu.verdict import Placement
from npuscope.snapshot import Snapshot

sys.path.insert(0, str(Path(__file__).parent))
from cost_cases import CASES, Case
from cost_convolutions import COLUMNS, NEAR, ConvolutionCheck, convolutions, rows_of
from cost_zoo import memory_rows, public_measured, public_rows, zoo_measured, zoo_rows

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


# -- layers, epochs and memory of c_info.json and tmp.dot ---------------------------------------------------------


@dataclass(frozen=True)
class Estimates:
    """The compiler's sums beside ours, the layers whose cycles differ, and the epochs that hold other layers."""

    case: Case
    compute: tuple[int, int]
    """(ours, reported)."""
    cycles: tuple[int, int]
    epochs: tuple[int, int]
    millijoules: tuple[float, float]
    layers: int
    """Layers of the NPU with a latency in the compiler's graph."""
    differing_layers: tuple[tuple[str, int, int], ...]
    """(layer, ours, reported) of each whose own compute cycles are off by more than NEAR."""
    shared_alike: int
    """Convolutions whose epoch begins the same layers in both."""
    differing: tuple[tuple[str, str, int, int], ...]
    """(layer, column, ours, reported) of each of these whose epoch is off by more than NEAR."""
    divided: tuple[tuple[str, str, str], ...]
    """(convolution, layers its epoch alone has here, layers its epoch alone has there) of the others."""
    peak: tuple[int, int]
    """Bytes of the activations alive at once."""
    pools: tuple[tuple[str, int, int], ...]
    """(pool, ours, reported): bytes that activations take in it."""


def estimates(case: Case, cases: Path) -> Estimates | None:
    """A case against its c_info.json and tmp.dot; None where it has none."""
    path = cases / case.name / "c_info.json"
    if not path.exists():
        return None
    snapshot, content = case.snapshot(cases), read(path)
    actual = {e.index: e for e in content.epochs if e.compute_cycles is not None}
    predicted = {name: epoch for epoch in reversed(snapshot.epochs) for name in epoch.layers}
    names = cases / case.name / "Q.json"
    originals = tuple(read(names).originals) if names.exists() and case.model == "model.onnx" else ()
    layers = [report.layer for report in snapshot.layers]
    matches = match(layers, snapshot.graph, content.nodes, originals).matches
    begun: dict[int, set[str]] = defaultdict(set)
    for pair in matches:
        if pair.operator.lead.epoch is not None and pair.layer in predicted:
            begun[pair.operator.lead.epoch].add(pair.layer)
    matched = {pair.layer for pair in matches}
    differing, divided, alike = [], [], 0
    for pair in matches:
        node, epoch = pair.operator.lead, predicted.get(pair.layer)
        estimate = actual.get(node.epoch) if node.epoch is not None else None
        if node.kind != "Conv" or not pair.operator.undivided or epoch is None or estimate is None:
            continue
        assert node.epoch is not None
        own = {name for name in epoch.layers if name in matched and predicted[name] is epoch}
        if own != begun[node.epoch]:
            here, there = (", ".join(sorted(x)) for x in (own - begun[node.epoch], begun[node.epoch] - own))
            divided.append((pair.layer, here or "-", there or "-"))
            continue
        alike += 1
        differing += [
            (pair.layer, column, ours, wanted)
            for column, ours, wanted in (
                ("compute", epoch.compute_cycles, estimate.compute_cycles or 0),
                ("cycles", epoch.cycles, estimate.cycles or 0),
            )
            if abs(ours - wanted) > max(NEAR * wanted, 6)
        ]
    summary = snapshot.summary
    document = json.loads(path.read_text())
    power = document["power_estimates"]
    energy = sum(
        (p["average_acc_power_mw"] + p["average_memory_power_mw"]) * (p["compute_cycles"] or p["max_cycles"])
        for p in power
    )
    compared = list(latencies(matches, snapshot, cases / case.name / "tmp.dot"))
    pools = {pool.name: pool.activations for pool in snapshot.memory.pools}
    peak, used = held_by_compiler(document)
    return Estimates(
        case,
        (summary.compute_cycles, sum(p["compute_cycles"] for p in power)),
        (summary.cycles, sum(p["max_cycles"] for p in power)),
        (summary.epochs, sum(1 for e in content.epochs if e.op != "Return")),
        (summary.millijoules, energy * 1e-9),
        len(compared),
        tuple(row for row in compared if abs(row[1] - row[2]) > max(NEAR * row[2], 6)),
        alike,
        tuple(differing),
        tuple(divided),
        (snapshot.memory.peak_activations, peak),
        tuple(
            (name, pools.get(name, 0), used.get(name, 0))
            for name in dict.fromkeys((*pools, *used))
            if pools.get(name) or used.get(name)
        ),
    )


def latencies(matches: Iterable[Match], snapshot: Snapshot, graph: Path) -> Iterator[tuple[str, int, int]]:
    """(layer, our compute cycles, the compiler's) of the layers on the NPU that its graph gives a latency.

    Sub-masks of one epoch run at once; what epochs of a layer take is added.
    """
    nodes = {node.name: node for node in read(graph).nodes} if graph.exists() else {}
    for matched in matches:
        report = snapshot.by_name[matched.layer]
        leads = [nodes.get(node.name) for node in matched.operator.nodes[: matched.operator.leads]]
        if report.cost is None or report.placement is not Placement.HW or not all(leads):
            continue
        slowest: dict[int, int] = {}
        for node in leads:
            if node is not None and node.latency_cycles is not None and node.epoch is not None:
                slowest[node.epoch] = max(slowest.get(node.epoch, 0), node.latency_cycles)
        if slowest and report.cost.compute_cycles:
            yield matched.layer, report.cost.compute_cycles, sum(slowest.values())


def held_by_compiler(document: Mapping[str, Any]) -> tuple[int, dict[str, int]]:
    """(Peak bytes of activations alive, pool -> bytes that activations ever take in it) of a c_info.json.

    Inputs and outputs that the user allocates lie in a pool of their own there.
    """
    pools = {pool["id"]: pool for pool in document["memory_pools"]}
    buffers = {
        (b["mpool_id"], b["offset_start"], b["size_bytes"], b["epochs"]["start"], b["epochs"]["end"])
        for b in document["buffers"]
        if not b["is_param"] and b["mpool_id"] in pools
    }
    last = len(document["graphs"][0]["nodes"]) + 1
    change = [0] * (last + 2)
    places: list[tuple[int, int]] = []
    sizes: dict[str, int] = {}
    for pool, offset, size, first, end in buffers:
        change[min(first, last)] += size
        change[min(end, last) + 1] -= size
        if pools[pool]["address"]:
            begin = int(pools[pool]["address"]) + offset
            places.append((begin, begin + size))
        else:
            sizes["user"] = sizes.get("user", 0) + size
    for pool in pools.values():
        if pool["address"] and "_" not in pool["name"]:
            low = int(pool["address"])
            reach, total = low, 0
            for begin, end in sorted(places):
                begin, end = max(begin, reach), min(end, low + pool["size_bytes"])
                if end > begin:
                    total, reach = total + end - begin, end
            sizes[pool["name"]] = total
    return max(accumulate(change)), sizes


# -- boards ------------------------------------------------------------------------------------------------------


SINGLE = re.compile(r"(?i)(conv2d_\w+?|depthwise_3x3)(?:_report)?(?:\.txt|/network_validate_report\.txt)$")
FOLDERS = {"conv2d_poll": "conv2d_pool"}


@dataclass(frozen=True)
class Single:
    """A one-layer model on the board, in all its set-ups."""

    model: str
    toolchain: str
    measured: tuple[float, ...]
    predicted: float


def single_layers(table: Path, cases: Path) -> Iterator[Single]:
    """The one-layer models at 800/1000 MHz: milliseconds of each set-up, and ours."""
    totals: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for row in rows_of(table):
        file_match = SINGLE.search(row["file"])
        if file_match is None or "mcu_freq=800" not in row["board_desc"]:
            continue
        name = file_match.group(1).lower()
        totals[FOLDERS.get(name, name), row["tool_version"][:3]][row["file"]] = float(row["total_ms"])
    for (name, toolchain), measured in sorted(totals.items()):
        snapshot = Case(f"single_layers/{name}", toolchain, "OE.onnx").snapshot(cases)
        yield Single(name, toolchain, tuple(measured.values()), snapshot.summary.milliseconds)


def board_epochs(table: Path, cases: Path) -> Iterator[tuple[Epoch, float, float]]:
    """Our epochs of mobilenet_v2_224 (2.2) that are convolutions, with milliseconds (core, whole) of the board's."""
    rows = [r for r in rows_of(table) if r["file"].endswith("Cube MX/mobilenet_v2_224.txt")]
    case = next(c for c in CASES if c.name == "mobilenet_v2_224" and c.toolchain == "2.2")
    ours = case.snapshot(cases).epochs
    reported = [r for r in rows if r["type"].startswith("epoch")]
    if len(ours) == len(reported):
        for epoch, row in zip(ours, reported, strict=True):
            if epoch.op != "Conv":
                continue
            total = sum(int(row[key]) for key in ("cyc_pre", "cyc_core", "cyc_post"))
            yield epoch, int(row["cyc_core"]) / 800e3, total / 800e3


# -- Markdown ----------------------------------------------------------------------------------------------------


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    header = list(header)
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    lines += [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines)


def percent(part: float, total: float) -> str:
    """'+2.1 %'."""
    return f"{100 * (part / total - 1):+.1f} %" if total else "-"


@cache
def all_estimates(cases: Path) -> tuple[Estimates, ...]:
    """Every case with a c_info.json."""
    return tuple(estimate for case in CASES if (estimate := estimates(case, cases)) is not None)


def report(shared: Path, layers: bool) -> Iterator[str]:
    """The tables."""
    cases, tables = shared / "groundtruth/cases", shared / "groundtruth/tables"
    checks = [
        check for name in ("conv_costs.csv", "conv_costs_2.csv") for check in convolutions(tables / name)
    ]
    by_case: dict[str, list[ConvolutionCheck]] = defaultdict(list)
    for check in checks:
        by_case[f"{check.case} ({check.toolchain})"].append(check)
    yield "### Convolutions"
    rows = [*by_case.items(), ("all", checks)]
    yield table(
        ("case", "rows", *COLUMNS),
        (
            (name, len(results), *(sum(c.agrees.get(k, False) for c in results) for k in COLUMNS))
            for name, results in rows
        ),
    )
    for check in checks:
        if not all(check.agrees.get(column, False) for column in COLUMNS):
            yield f"- {check.case} {check.node}: compiler {check.want}, simulated {check.got}"
    results = all_estimates(cases)
    yield "\n### Layers"
    yield table(
        ("case", "layers", "off by more than 1 %"),
        (
            (f"{e.case.name} ({e.case.toolchain})", e.layers, len(e.differing_layers))
            for e in results
            if e.layers
        ),
    )
    for e in results:
        for name, ours, wanted in e.differing_layers:
            yield f"- {e.case.name} {name}: {ours:,}, compiler {wanted:,}"
    yield "\n### Epochs"
    yield table(
        ("case", "epochs", "compute cycles", "", "cycles", "", "mJ", "convolutions in an epoch of the same layers",
         "of these off by more than 1 %"),
        (
            (f"{e.case.name} ({e.case.toolchain})", f"{e.epochs[0]} of {e.epochs[1]}", f"{e.compute[0]:,} of {e.compute[1]:,}",
             percent(*e.compute), f"{e.cycles[0]:,} of {e.cycles[1]:,}", percent(*e.cycles),
             f"{e.millijoules[0]:.2f} of {e.millijoules[1]:.2f}", f"{e.shared_alike} of {e.shared_alike + len(e.divided)}",
             len({d[0] for d in e.differing}))
            for e in results
        ),
    )  # fmt: skip
    if layers:
        for e in results:
            for name, column, ours, wanted in e.differing:
                yield f"- {e.case.name} {name}: {column} {ours:,}, compiler {wanted:,}"
            for name, here, there in e.divided:
                yield f"- {e.case.name} {name}: with {here}; compiler with {there}"
    yield "\n### Memory"
    yield "Activations alive at once, and what they take in each pool (`user`: inputs and outputs the user allocates):\n"
    yield table(
        ("case", "peak", "", "pools"),
        (
            (f"{e.case.name} ({e.case.toolchain})", f"{e.peak[0]:,} of {e.peak[1]:,}", percent(*e.peak),
             ", ".join(f"{name} {ours:,} of {wanted:,}" for name, ours, wanted in e.pools))
            for e in results
        ),
    )  # fmt: skip
    yield "\nWhat the reports print:\n"
    yield table(
        ("case", "weights", "", "activations", ""),
        (
            (f"{c.name} ({c.toolchain})", f"{s.weights_bytes:,} of {c.weights:,}", percent(s.weights_bytes, c.weights),
             f"{s.activations_bytes:,} of {c.activations:,}", percent(s.activations_bytes, c.activations))
            for c in CASES if c.weights and c.activations for s in (c.snapshot(cases).summary,)
        ),
    )  # fmt: skip
    yield "\n### Boards"
    yield table(
        ("case", "board", "ms", "predicted", "band", ""),
        (
            (f"{c.name} ({c.toolchain})", c.where, c.board_ms, f"{s.milliseconds:.2f}",
             f"±{s.milliseconds_error:.2f}", percent(s.milliseconds, c.board_ms))
            for c in CASES if c.board_ms for s in (c.snapshot(cases).summary,)
        ),
    )  # fmt: skip
    measured = tables / "measured_epoch_times.csv"
    yield "\n### ST's model zoo"
    yield table(
        ("model", "version", "ST's table, ms", "with the epoch controller", "band", "", "without", ""),
        zoo_rows(shared),
    )
    yield "\nKiB of activations on the chip, outside, and of weights, where ST's tables list all three:\n"
    yield table(("model", "version", "on the chip", "outside", "weights"), memory_rows(shared))
    yield "\n### Public projects"
    yield table(("model", "version", "ms", "predicted", "band", ""), public_rows())
    rest = (*zoo_measured(shared), *public_measured())
    own = [(c.board_ms, c.snapshot(cases).summary) for c in CASES if c.board_ms]
    inside = [abs(s.milliseconds - ms) <= s.milliseconds_error for ms, s in own] + [m.inside for m in rest]
    yield f"\n{sum(inside)} of these {len(inside)} measurements, those of the boards above included, lie in the band."
    yield "\n### Single layers"
    yield table(
        ("model", "version", "ms of each set-up", "median", "predicted", ""),
        (
            (s.model, s.toolchain, ", ".join(f"{m:.3f}" for m in s.measured), f"{statistics.median(s.measured):.3f}",
             f"{s.predicted:.3f}", percent(s.predicted, statistics.median(s.measured)))
            for s in single_layers(measured, cases)
        ),
    )  # fmt: skip
    core = [
        ((e.milliseconds - e.start_milliseconds) / ms, e.milliseconds / total)
        for e, ms, total in board_epochs(measured, cases)
    ]
    if core:
        yield f"\n{len(core)} convolution epochs of mobilenet_v2_224 (2.2), predicted / measured:"
        for word, ratios in (("running", [c for c, _ in core]), ("with set-up", [w for _, w in core])):
            ordered = sorted(ratios)
            yield (
                f"- {word}: median {statistics.median(ordered):.3f}, nine in ten from {ordered[len(ordered) // 20]:.3f} "
                f"to {ordered[-1 - len(ordered) // 20]:.3f}"
            )


PAGE = Path(__file__).resolve().parents[1] / "docs/accuracy-cost.md"
BEGIN, END = "<!-- begin: tools/compare_cost.py -->", "<!-- end -->"


def main(arguments: list[str] | None = None) -> None:
    """Print the tables, or put them in the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=SHARED)
    parser.add_argument(
        "--layers", action="store_true", help="list every layer whose epoch is off by more than 1 %%"
    )
    parser.add_argument("--write", action="store_true", help="put the tables in docs/accuracy-cost.md")
    options = parser.parse_args(arguments)
    text = "\n".join(report(options.shared, options.layers or options.write))
    if options.write:
        page = PAGE.read_text()
        before, after = page.split(BEGIN)[0], page.split(END)[1]
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
    else:
        print(text)


if __name__ == "__main__":
    main()
