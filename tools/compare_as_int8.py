"""Compare verdicts of `--as-int8` with those after real quantization.

Usage: compare_as_int8.py [MODEL.onnx ...] [--shared FOLDER]     prints a table as Markdown, as in docs/accuracy-as-int8.md. Float models are taken as they are; of a QDQ model the float one behind it is made first.
Without models: the samples, the float networks the tests build, and the QDQ models of the ground truth.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from npuscope.edits.edit import Refusal
from npuscope.edits.kinds.fix_dimensions import FixDimensions
from npuscope.machine.build import Build
from npuscope.machine.machine import target_of
from npuscope.model.as_int8.symbolic import as_int8
from npuscope.model.errors import ModelError
from npuscope.model.load import Source, source_of
from npuscope.model.serialize import to_model
from npuscope.npu.times import in_ms
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.quantize import Settings, quantize
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

ROOT = Path(__file__).resolve().parents[1]
TARGET = target_of(Build())
QDQ = ("QuantizeLinear", "DequantizeLinear")
SIZE = 64
"""Of a free height or width."""


@dataclass(frozen=True)
class Outcome:
    """A model under one setting: layers after quantizing it, and those judged otherwise before."""

    name: str
    setting: str
    layers: int
    differing: tuple[str, ...]
    cycles: tuple[int, int]
    milliseconds: tuple[float, float]


@dataclass
class Float:
    """The float model behind a QDQ one: pairs gone, constants as real numbers."""

    model: onnx.ModelProto
    real_constants: dict[str, np.ndarray] = field(default_factory=dict)

    def make(self) -> onnx.ModelProto:
        """The model without Q and DQ."""
        graph = self.model.graph
        constants = {entry.name for entry in graph.initializer}
        inputs = [value for value in graph.input if value.name not in constants]
        del graph.input[:]
        graph.input.extend(inputs)
        self.constants = {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        renamed: dict[str, str] = {}
        kept, fresh = [], []
        for node in graph.node:
            if node.op_type not in QDQ:
                kept.append(node)
            elif node.op_type == "DequantizeLinear" and node.input[0] in self.constants:
                fresh.append(numpy_helper.from_array(self.real(node), node.output[0]))
            else:
                renamed[node.output[0]] = node.input[0]
        outputs = {value.name for value in graph.output}
        for name in outputs & renamed.keys():  # an output keeps its name
            source = name
            while source in renamed:
                source = renamed.pop(source)
            for node in kept:
                node.output[:] = [name if one == source else one for one in node.output]
            renamed[source] = name
        for node in kept:
            node.input[:] = [self.now(renamed, name) for name in node.input]
        del graph.node[:], graph.value_info[:]
        graph.node.extend(kept)
        used = {name for node in kept for name in node.input}
        entries = [entry for entry in (*graph.initializer, *fresh) if entry.name in used]
        del graph.initializer[:]
        graph.initializer.extend(entries)
        for value in (*graph.input, *graph.output):
            value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
        return self.model

    @staticmethod
    def now(renamed: dict[str, str], name: str) -> str:
        """What is left of a tensor's chain of pairs."""
        while name in renamed:
            name = renamed[name]
        return name

    def real(self, node: onnx.NodeProto) -> np.ndarray:
        """What a DQ of a constant gives."""
        stored = self.constants[node.input[0]].astype(np.float64)
        scale = np.asarray(self.constants[node.input[1]], np.float64)
        zero = np.asarray(self.constants.get(node.input[2], 0) if len(node.input) > 2 else 0, np.float64)
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        if scale.size > 1:
            shape = [1] * stored.ndim
            shape[axis] = -1
            scale = scale.reshape(shape)
            zero = zero.reshape(shape) if zero.size > 1 else zero
        return ((stored - zero.reshape(-1)[0] if zero.size == 1 else stored - zero) * scale).astype(
            np.float32
        )


def float_model(path: Path, sizes: Sequence[int] = ()) -> Source:
    """A model in float with fixed sizes, at an opset the quantizer takes. Raises ModelError."""
    model = onnx.load(str(path))
    if any(node.op_type in QDQ for node in model.graph.node):
        model = Float(model).make()
    source = source_of(path, model)
    if not source.graph.sizes_fixed:
        source = fixed(source, sizes)
    return source


def fixed(source: Source, sizes: Sequence[int]) -> Source:
    """The model with 1 for a free batch, then the given sizes, then SIZE. Raises ModelError."""
    graph = source.graph
    free = [
        (name, axis)
        for name in graph.inputs
        for axis, dim in enumerate(graph.type(name).shape or ())
        if not isinstance(dim, int)
    ]
    remaining = iter(sizes)
    given_sizes = [(f"{name}:{axis}", 1 if axis == 0 else next(remaining, SIZE)) for name, axis in free]
    edited = Session.open(source, TARGET).edit(FixDimensions(tuple(given_sizes)))
    if isinstance(edited, Refusal):
        raise ModelError(str(edited))
    return source_of(source.path, to_model(edited.source, edited.graph))


def compared(name: str, source: Source, settings: Iterable[bool] = (False, True)) -> Iterator[Outcome]:
    """Asymmetric and symmetric, or the one of them asked for by False or True. Raises ModelError."""
    samples = random_samples(source, 2, 0)
    for symmetric in settings:
        made = quantize(source, samples, Settings(symmetric=symmetric))
        real = analyse(Session.open(made, TARGET))
        assumed = analyse(Session.open(as_int8(source, symmetric), TARGET))
        yield outcome(name, "symmetric" if symmetric else "asymmetric", real, assumed)


def outcome(name: str, setting: str, real: Snapshot, assumed: Snapshot) -> Outcome:
    """Layers judged alike and otherwise."""
    differing = []
    for layer in dict.fromkeys((*real.by_name, *assumed.by_name)):
        one, other = real.by_name.get(layer), assumed.by_name.get(layer)
        if one is None or other is None or one.placement is not other.placement:
            placements = [
                report.placement.value if report is not None else "no layer" for report in (one, other)
            ]
            differing.append(f"{layer}: {placements[0]} after quantization, {placements[1]} before")
    return Outcome(
        name,
        setting,
        len(real.layers),
        tuple(differing),
        (real.summary.compute_cycles, assumed.summary.compute_cycles),
        (real.summary.milliseconds, assumed.summary.milliseconds),
    )


def models(paths: list[str], shared: Path) -> Iterator[tuple[str, Path | onnx.ModelProto]]:
    """What is compared: (name, file or model)."""
    if paths:
        yield from ((Path(path).stem, Path(path)) for path in paths)
        return
    sys.path.insert(0, str(ROOT / "tests"))
    from builders.networks.float_networks import NETWORKS

    yield "denoiser_lstm_float (sample)", ROOT / "sample_models/denoiser_lstm_float.onnx"
    yield from ((f"{name} (tests)", build()) for name, build in NETWORKS.items())
    for path in sorted(shared.glob("groundtruth/cases/*/model.onnx")):
        yield f"{path.parent.name} (ground truth)", path


def table(outcomes: Iterable[Outcome]) -> str:
    """As Markdown: a row a model and setting, then what differs."""
    rows = list(outcomes)
    lines = [
        "| float model | setting | layers | same verdict | compute cycles | ms |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        same = row.layers - len(row.differing)
        lines.append(
            f"| {row.name} | {row.setting} | {row.layers} | {same} | {row.cycles[1]:,} of {row.cycles[0]:,} | "
            f"{in_ms(row.milliseconds[1])} of {in_ms(row.milliseconds[0])} |"
        )
    layers, wrong = sum(row.layers for row in rows), sum(len(row.differing) for row in rows)
    lines.append(f"| all | | {layers} | {layers - wrong} ({100 * (1 - wrong / max(layers, 1)):.2f} %) | | |")
    lines.append("")
    lines += [f"- {row.name}, {row.setting}, {text}" for row in rows for text in row.differing]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[], help="free sizes of an input, but for the batch"
    )
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    options = parser.parse_args()
    outcomes: list[Outcome] = []
    for name, model in models(options.models, options.shared):
        try:
            source = (
                float_model(model, options.sizes)
                if isinstance(model, Path)
                else source_of(Path(f"{name}.onnx"), model)
            )
            compared_models = list(compared(name, source))
        except ModelError as error:
            sys.stderr.write(f"{name}: {error}\n")
            continue
        outcomes += compared_models
        sys.stderr.write(f"{name}: {[(row.layers, len(row.differing)) for row in compared_models]}\n")
    sys.stdout.write(table(outcomes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
