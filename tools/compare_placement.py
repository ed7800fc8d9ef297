"""Compare where npuscope places layers, and the epochs it predicts, with what ST's compiler did.

Usage: compare_placement.py [--shared FOLDER] [--epochs CASE] [--write]     prints tables as Markdown; --write puts
them in docs/accuracy-placement.md and the counts of each cause in the package's evidence.toml; --epochs prints the
predicted epochs of a case.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import Any

from placement_steps import PRODUCTS, RULES, Counted, by_total, products, rows

from npuscope.model.layers import WEIGHTED
from npuscope.neural_art.artefacts.values import HW
from npuscope.neural_art.comparison.values import Comparison, LayerComparison
from npuscope.neural_art.rules.n905_swish_in_two import GATES
from npuscope.neural_art.rules.n905_swish_in_two import RULE as SWISH
from npuscope.npu.verdict import Placement
from npuscope.services.builds import BuildOptions
from npuscope.services.open import compare_files
from npuscope.snapshot import LayerReport, Snapshot

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
PAGE = ROOT / "docs/accuracy-placement.md"
EVIDENCE = ROOT / "npuscope/neural_art/kernels/evidence.toml"
BEGIN, END = "<!-- begin: tools/compare_placement.py -->", "<!-- end -->"


@dataclass(frozen=True)
class Case:
    """One network as one version of the tools compiled it."""

    name: str
    toolchain: str
    files: tuple[str, ...]


CASES = (
    Case("ocr_det_160", "2.2", ("model.onnx", "c_info.json", "report.txt")),
    Case("mobilenet_v2_224", "2.2", ("model.onnx", "report_and_board.txt")),
    Case("yolov11n_micro_224", "4.0", ("model.onnx", "report_and_board.txt")),
    Case("speech_tcnn_257", "2.0", ("model.onnx", "report_2.0.txt")),
    Case("yamnet_1024", "2.1", ("model.onnx", "report_2.1.txt")),
    Case("yamnet_1024", "2.2", ("model.onnx", "report_2.2.txt")),
    Case("mobilefacenet_qop", "2.1", ("model.onnx", "c_info.json", "Q.json", "report.txt")),
    Case("mobilenet_v2_128", "3.0", ("OE.onnx", "c_info.json", "Q.json", "report.txt")),
    Case("blazeface_128", "2.2", ("OE.onnx", "c_info.json", "Q.json")),
    Case("ssd_mobilenet_v1_256", "2.1", ("OE.onnx", "c_info.json", "Q.json", "report.txt")),
    Case("timeseries_conv2d", "4.0", ("OE.onnx", "c_info.json", "Q.json", "report.txt")),
    Case("yolov8n_micro_224", "4.0", ("model.onnx", "report_and_board.txt")),
    Case("mobilefacenet_qdq", "2.1", ("model.onnx", "c_info.json", "report.txt")),
    Case("mobilefacenet_qop_22", "2.2", ("model.onnx", "c_info.json", "Q.json", "report.txt")),
    Case("blazeface_front_128", "2.1", ("OE.onnx", "c_info.json", "Q.json", "report.txt")),
    Case("face_landmark_192", "2.2", ("OE.onnx", "c_info.json", "Q.json", "report.txt")),
    Case("face_landmark_192_float_io", "2.2", ("OE.onnx", "c_info.json", "Q.json", "report.txt")),
    Case("cnn_small_40", "4.0", ("OE.onnx", "Q.json", "report.txt")),
    Case("mobilenet_v1_224", "2.2", ("model.tflite", "c_info.json", "report.txt")),
    Case("st_yolo_x_480", "3.0", ("model.tflite", "c_info.json", "Q.json", "report.txt")),
    Case("yolov8_face", "2.2", ("model.tflite", "c_info.json", "Q.json", "report.txt")),
    Case("mlp_gmpp", "4.0", ("OE.onnx", "c_info.json", "Q.json", "report.txt")),
)

KNOWN = {
    ("yolov11n_micro_224", "Split"): "the report names no layer: four Splits are hybrid, as predicted, but those are "
    "inserted around MatMul; to take this layer for one of them is a guess of the comparison",
    ("yolov11n_micro_224", "Concat"): "the report names no layer, and the comparison has assigned the hybrid Concat to "
    "another one of the model than the one predicted",
    ("yolov8n_micro_224", "Concat"): "as in yolov11n_micro_224: the number agrees, which one each is was guessed",
}  # fmt: skip
"""What is known of a disagreement: (case, layer or operator) -> sentence."""


@dataclass(frozen=True)
class Outcome:
    """A case, compared."""

    case: Case
    comparison: Comparison
    snapshot: Snapshot
    worst: dict[str, str]
    """Layer -> the slowest class among the compiler's operators for it, Q/DQ and what is between left out."""

    @property
    def compared(self) -> list[LayerComparison]:
        """The layers whose place the artefacts tell."""
        return [
            layer for layer in self.comparison.layers if layer.actual is not None and layer.actual.placement
        ]

    @property
    def weighted(self) -> list[LayerComparison]:
        """Those that multiply by weights."""
        return [layer for layer in self.compared if self.snapshot.by_name[layer.name].layer.kind in WEIGHTED]

    def agrees(self, layer: LayerComparison) -> bool:
        """Predicted and actual class are the same."""
        worst = self.worst.get(layer.name)
        if worst is not None and worst == layer.predicted.placement:
            return True
        return not any(difference.what == "placement" for difference in layer.differences)

    @property
    def disagreements(self) -> list[LayerComparison]:
        """The layers in another class."""
        return [layer for layer in self.compared if not self.agrees(layer)]

    @property
    def off_npu(self) -> tuple[Counter[str], Counter[str]]:
        """Operators of the epochs that need the CPU: predicted, actual."""
        predicted = Counter(epoch.op for epoch in self.snapshot.epochs if epoch.placement is not Placement.HW)
        actual = Counter(e.op for e in self.comparison.epochs if e.placement not in ("", HW) for _ in e.span)
        return predicted, actual

    @property
    def f1(self) -> float:
        """Of the epochs that need the CPU, by operator."""
        predicted, actual = self.off_npu
        if not predicted and not actual:
            return 1.0
        return 2 * sum((predicted & actual).values()) / max(sum(predicted.values()) + sum(actual.values()), 1)


def outcome(case: Case, cases: Path) -> Outcome:
    """Compare one case."""
    comparison, snapshot = compare_files(
        [cases / case.name / name for name in case.files], BuildOptions(case.toolchain)
    )
    assert snapshot is not None
    placed = {n.name: n.placement for artefact in comparison.artefacts for n in artefact.nodes if n.placement}
    worst = {}
    for layer in comparison.layers:
        seen = [
            placed[n] for n in (layer.evidence.nodes if layer.evidence is not None else ()) if n in placed
        ]
        if seen:
            # The artefacts of old versions call hybrid operators software.
            worst[layer.name] = (
                "hybrid" if HW in seen and set(seen) & {"sw", "hybrid"} else max(seen, key=_RANK.index)
            )
    return Outcome(case, comparison, snapshot, worst)


_RANK = ("hw", "hybrid", "sw", "sw_int", "sw_float")


@cache
def outcomes(cases: Path) -> tuple[Outcome, ...]:
    """All cases."""
    return tuple(outcome(case, cases) for case in CASES)


def known(case: Case, layer: LayerComparison) -> str:
    """What is known of a disagreement."""
    return KNOWN.get((case.name, layer.name)) or KNOWN.get((case.name, layer.op)) or "not explained"


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    header = list(header)
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    return "\n".join([*lines, *(f"| {' | '.join(str(cell) for cell in row)} |" for row in rows)])


def report(cases: Path) -> Iterator[str]:
    """The tables and every disagreement."""
    results = outcomes(cases)
    yield "### Layers in the compiler's class"
    rows: list[tuple[object, ...]] = []
    sums = [0, 0, 0, 0]
    for o in results:
        counts = (
            len(o.compared) - len(o.disagreements), len(o.compared),
            sum(map(o.agrees, o.weighted)), len(o.weighted),
        )  # fmt: skip
        sums = [a + b for a, b in zip(sums, counts, strict=True)]
        by = Counter(layer.evidence.by for layer in o.compared if layer.evidence is not None)
        ways = ", ".join(f"{way} {count}" for way, count in by.most_common())
        rows.append((_title(o), f"{counts[0]} of {counts[1]}", f"{counts[2]} of {counts[3]}", ways))
    rows.append(("all", f"{sums[0]} of {sums[1]}", f"{sums[2]} of {sums[3]}", ""))
    yield table(("case", "layers", "Conv, Gemm, MatMul", "how they were found"), rows)
    for o in results:
        for layer in o.disagreements:
            assert layer.actual is not None
            yield (
                f"- {_title(o)}, {layer.name}: predicted {layer.predicted.placement}, compiler {layer.actual.placement}; "
                f"{known(o.case, layer)}"
            )
    yield "\n### Epochs"
    yield table(
        ("case", "predicted", "compiler", "", "need the CPU", "compiler", "F1"),
        (
            (
                _title(o), len(o.snapshot.epochs), o.comparison.totals.epochs,
                _percent(len(o.snapshot.epochs), o.comparison.totals.epochs),
                o.off_npu[0].total(), o.off_npu[1].total(), f"{o.f1:.2f}",
            )
            for o in results
        ),
    )  # fmt: skip
    for o in results:
        predicted, actual = o.off_npu
        for what, kinds in (("predicted in vain", predicted - actual), ("missed", actual - predicted)):
            if kinds:
                yield f"- {_title(o)}: {what}: {', '.join(f'{n} {op}' for op, n in kinds.items())}"


def judged(cases: Path) -> Iterator[tuple[LayerReport, bool, str]]:
    """Layers, whether the compiler placed them so, and its version: of the cases, and of the networks rebuilt."""
    for o in outcomes(cases):
        for layer in o.compared:
            yield o.snapshot.by_name[layer.name], o.agrees(layer), o.case.toolchain
    yield from rebuilt()


def rebuilt() -> Iterator[tuple[LayerReport, bool, str]]:
    """The layers of public builds whose networks tests rebuild from their reports.

    A report names only the operators of the epochs that need the CPU: a layer is placed as it says where it has as many
    epochs of the layer's operators as are predicted.
    """
    for build in _builds():
        with tempfile.TemporaryDirectory() as folder:
            snapshot = build.compiled(Path(folder))
        on_cpu = [epoch for epoch in snapshot.epochs if epoch.placement is not Placement.HW]
        predicted, actual = Counter(epoch.op for epoch in on_cpu), Counter(build.on_cpu)
        ops: dict[str, set[str]] = {}
        for epoch in on_cpu:
            for name in epoch.layers:
                ops.setdefault(name, set()).add(epoch.op)
        for report in snapshot.layers:
            kinds = ops.get(report.name, {report.layer.kind})
            yield report, all(predicted[kind] == actual[kind] for kind in kinds), build.toolchain


def gates(cases: Path) -> Iterator[tuple[int, bool, str]]:
    """How many Sigmoids N905 names in a network, whether the epochs say that none is part of a Swish, and the version.

    They do where their number is nearer to what is predicted than to what would be if each were one.
    """
    for o in outcomes(cases):
        count, total = _named(o.snapshot), o.comparison.totals.epochs
        if count and total:
            options = BuildOptions(o.case.toolchain, swish_recognition=True)
            other = compare_files([cases / o.case.name / name for name in o.case.files], options)[1]
            assert other is not None
            yield count, _nearer(o.snapshot, other, total), o.case.toolchain
    for build in _builds():
        with tempfile.TemporaryDirectory() as folder:
            snapshot = build.compiled(Path(folder))
            if count := _named(snapshot):
                other = replace(build, options={**build.options, "swish": True}).compiled(Path(folder))
                yield count, _nearer(snapshot, other, build.epochs), build.toolchain


@cache
def steps(cases: Path) -> tuple[Counted, ...]:
    """What the epochs say of the rules of tools/placement_steps.py."""
    return tuple(_steps(cases))


def _steps(cases: Path) -> Iterator[Counted]:
    for o in outcomes(cases):
        agreed, seen = products(o.comparison, o.snapshot)
        if seen:
            yield Counted(PRODUCTS, agreed, seen, o.case.toolchain)
        for word, rule in RULES.items():
            again = partial(_snapshot, o.case, cases)
            found = by_total(rule, o.snapshot, again, o.comparison.totals.epochs or 0)
            if found is not None:
                yield Counted(word, found[0] * found[1], found[0], o.case.toolchain)
    for build in _builds(counted=True):
        with tempfile.TemporaryDirectory() as folder:
            again = partial(build.compiled, Path(folder))
            snapshot = again()
            for word, rule in RULES.items():
                found = by_total(rule, snapshot, again, build.epochs)
                if found is not None:
                    yield Counted(word, found[0] * found[1], found[0], build.toolchain)


def _snapshot(case: Case, cases: Path) -> Snapshot:
    return outcome(case, cases).snapshot


def _named(snapshot: Snapshot) -> int:
    return sum(finding.code == SWISH.code for report in snapshot.layers for finding in report.findings)


def _nearer(one: Snapshot, other: Snapshot, total: int) -> bool:
    return abs(len(one.epochs) - total) < abs(len(other.epochs) - total)


def _builds(counted: bool = False) -> Iterable[Any]:
    sys.path.insert(0, str(ROOT / "tests"))
    from builders.public_builds import BUILDS, COUNTED

    return (*BUILDS.values(), *(COUNTED.values() if counted else ()))


def evidence(cases: Path) -> str:
    """For each cause: layers it decided, in how many of them the compiler agrees, and the versions, as TOML."""
    seen: Counter[str] = Counter()
    agreed: Counter[str] = Counter()
    versions: dict[str, set[str]] = {}
    for report, agrees, toolchain in judged(cases):
        for cause in report.causes:
            if cause.placement is not report.placement:
                continue
            word = str(cause.why.value)
            seen[word] += 1
            agreed[word] += agrees
            versions.setdefault(word, set()).add(toolchain)
    for count, agrees, toolchain in gates(cases):
        seen[GATES] += count
        agreed[GATES] += count * agrees
        versions.setdefault(GATES, set()).add(toolchain)
    for word, agreeing, count, toolchain in steps(cases):
        seen[word] += count
        agreed[word] += agreeing
        versions.setdefault(word, set()).add(toolchain)
    lines = [
        "# Written by tools/compare_placement.py --write: layers of compiled networks by the cause that decided;\n# networks of public builds that tests rebuild are among them."
    ]
    for word in sorted(seen):
        named = ", ".join(f'"{version}"' for version in sorted(versions[word], key=_ordinal))
        lines += [
            "",
            f"[{word}]",
            f"agreed = {agreed[word]}",
            f"seen = {seen[word]}",
            f"versions = [{named}]",
        ]
    return "\n".join(lines) + "\n"


def _ordinal(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _title(o: Outcome) -> str:
    return f"{o.case.name} ({o.case.toolchain})"


def _percent(part: int, total: int | None) -> str:
    return f"{100 * (part / total - 1):+.1f} %" if total else "-"


def epochs(cases: Path, name: str) -> Iterator[str]:
    """The predicted epochs of a case, one a line."""
    for epoch in next(o for o in outcomes(cases) if o.case.name == name).snapshot.epochs:
        inside = [*epoch.layers, *(f"+{inserted.kind}" for inserted in epoch.inserted)]
        yield f"{epoch.index:4} {epoch.placement.value:8} {epoch.op:18} {' '.join(inside)}"


def main(arguments: list[str] | None = None) -> None:
    """Print the tables, or put them in the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=SHARED)
    parser.add_argument("--epochs", metavar="CASE", help="print the predicted epochs of a case")
    parser.add_argument("--write", action="store_true", help="put the tables in docs/accuracy-placement.md")
    options = parser.parse_args(arguments)
    cases = options.shared / "groundtruth/cases"
    lines = (
        epochs(cases, options.epochs) if options.epochs else chain(report(cases), rows(steps(cases), table))
    )
    text = "\n".join(lines)
    if options.write:
        page = PAGE.read_text()
        before, after = page.split(BEGIN)[0], page.split(END)[1]
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
        EVIDENCE.write_text(evidence(cases))
    else:
        print(text)


if __name__ == "__main__":
    main()
