"""Write what tests need to know of compiled networks, as figures, into tests/data.

Usage: extract_figures.py [--shared FOLDER]

networks.txt holds each network operator by operator, as inputs, operators and outputs, one a line. An input of an
operator is the number of an earlier tensor, or a constant: its type, its shape and, where it is short, its values;
longer constants are not kept, and of scales per channel only the first. `*scale,zero point,type` behind a constant means
that it is dequantized, `| scale zero point type` that the output is quantized and dequantized.

builds.json holds what the compiler made of them: the options, epochs, those that need the CPU by operator, the
placement of each layer, and the sums of its own estimates.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from onnx import AttributeProto

from npuscope.machine.build import Build
from npuscope.machine.machine import target
from npuscope.model.graph import Graph, Node, attribute_value
from npuscope.neural_art.comparison.values import LayerComparison
from npuscope.services.open import open_model

sys.path.insert(0, str(Path(__file__).parent))
from compare_cost import held_by_compiler
from compare_placement import KNOWN, Outcome, outcomes

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests/data"
MOST_VALUES = 8
OPERATORS = {"QuantizeLinear": "Q", "DequantizeLinear": "DQ"}
SHORT = {"kernel_shape": "k", "strides": "s", "pads": "p", "dilations": "d", "group": "g"}
TYPES = {
    "int8": "i8",
    "uint8": "u8",
    "int32": "i32",
    "int64": "i64",
    "float32": "f32",
    "int16": "i16",
    "bool": "b",
}
SINGLE_LAYERS = (
    "conv2d_16f_3x3", "conv2d_1x1", "conv2d_32f_5x5", "conv2d_32f_7x7", "conv2d_3x3", "conv2d_64f_3x3", "conv2d_pool",
    "depthwise_3x3",
)  # fmt: skip
FILES = {
    **dict.fromkeys(
        ("blazeface_128", "blazeface_front_128", "cnn_small_40", "face_landmark_192", "mlp_gmpp", "mobilenet_v2_128",
         "ssd_mobilenet_v1_256", "timeseries_conv2d", *(f"single_layers/{one}" for one in SINGLE_LAYERS)),
        "OE.onnx",
    ),
    **dict.fromkeys(
        ("mobilefacenet_qdq", "mobilefacenet_qop", "mobilenet_v2_224", "ocr_det_160", "speech_tcnn_257",
         "tcn_calculator", "yamnet_1024", "yolov11n_micro_224", "yolov8n_micro_224"),
        "model.onnx",
    ),
    **dict.fromkeys(("mobilenet_v1_224", "movenet_192"), "model.tflite"),
}  # fmt: skip
"""Network -> its model. Three large ones are left out."""
LETTERS = {"hw": "h", "hybrid": "y"}
SAME = {"mobilefacenet_qop_22": "mobilefacenet_qop"}
"""Builds of a network that is listed under another name."""


@dataclass
class Listing:
    """The lines of one graph."""

    graph: Graph
    numbers: dict[str, int] = field(default_factory=dict)
    inline: dict[str, str] = field(default_factory=dict)
    """What a DequantizeLinear makes of a constant, as it is written."""

    def lines(self) -> Iterator[str]:
        """Inputs, operators, outputs."""
        graph = self.graph
        for name in graph.inputs:
            yield f"input {self._end(name)}"
            self._number(name)
        nodes, index = list(graph.nodes), 0
        while index < len(nodes):
            node, index = nodes[index], index + 1
            if self._is_constant(node):
                continue
            words = [
                OPERATORS.get(node.op, node.op) + (f"@{node.domain}" if node.domain else ""),
                *map(self._input, node.inputs),
                *map(_attribute, node.proto.attribute),
            ]
            if len(node.outputs) > 1:
                words.append(f"outputs={len(node.outputs)}")
            made = list(node.outputs)
            if (
                len(made) == 1
                and index + 1 < len(nodes)
                and self._pair(made[0], nodes[index], nodes[index + 1])
            ):
                made = [nodes[index + 1].output(0)]
                words.append(f"| {self._grid(nodes[index])}")
                index += 2
            for name in made:
                self._number(name)
            yield " ".join(words)
        for name in graph.outputs:
            yield f"output {self._end(name)} {self.numbers[name]}"

    def _number(self, name: str) -> None:
        self.numbers[name] = len(self.numbers)

    def _end(self, name: str) -> str:
        """Type, shape and marks of an input or output: stored in integers, stored as floats."""
        kind = self.graph.types[name]
        sizes = "x".join(map(str, kind.shape or ()))
        marks = "s" * (name in self.graph.stored_ends) + "f" * (name in self.graph.stored_floats)
        return f"{TYPES[kind.dtype]} {sizes}{marks}"

    def _is_constant(self, node: Node) -> bool:
        """It makes a constant, which is written where it is read."""
        if all(name in self.graph.constants and name not in self.graph.outputs for name in node.outputs):
            return True
        if node.op == "DequantizeLinear" and all(name in self.graph.constants for name in node.inputs):
            axis = node.attribute("axis")
            note = "" if axis is None else f"/{axis}"
            self.inline[node.output(0)] = f"{self._constant(node.input(0))}*{self._grid(node, ',')}{note}"
            return True
        return False

    def _pair(self, made: str, first: Node, second: Node) -> bool:
        """Quantized and dequantized again at once, and nothing else is between."""
        readers = [node for node in self.graph.nodes if made in node.inputs]
        inside = [node for node in self.graph.nodes if first.output(0) in node.inputs]
        return (
            (first.op, second.op) == ("QuantizeLinear", "DequantizeLinear")
            and first.input(0) == made and readers == [first] and inside == [second]
            and made not in self.graph.outputs and first.output(0) not in self.graph.outputs
            and self._grid(first) == self._grid(second) and not first.proto.attribute and not second.proto.attribute
        )  # fmt: skip

    def _grid(self, node: Node, between: str = " ") -> str:
        """Scale and zero point."""
        scale, zero = (
            self.graph.constants[name].array() if name else None for name in (*node.inputs, "")[1:3]
        )
        assert scale is not None
        count = f"x{scale.size}" if scale.ndim else ""
        kind = "" if zero is None else f"{between}{int(zero.flat[0])}{between}{TYPES[str(zero.dtype)]}"
        assert zero is None or (zero == zero.flat[0]).all(), node.name
        return f"{float(scale.flat[0]):.6g}{count}{kind}"

    def _input(self, name: str) -> str:
        if not name:
            return "-"
        if name in self.inline:
            return self.inline[name]
        return self._constant(name) if name in self.graph.constants else str(self.numbers[name])

    def _constant(self, name: str) -> str:
        value = self.graph.constants[name].array()
        sizes = "x".join(map(str, value.shape))
        values = value.ravel().tolist()
        kept = values[:1] if len(set(values)) == 1 else values
        if len(kept) > MOST_VALUES and value.dtype not in (np.int64, np.bool_):
            kept = []
        text = ",".join(f"{v:.6g}" if isinstance(v, float) else str(int(v)) for v in kept)
        return f"{TYPES[str(value.dtype)]}:{sizes}" + (f"={text}" if kept else "")


def _attribute(attribute: AttributeProto) -> str:
    value = attribute_value(attribute)
    name = SHORT.get(attribute.name, attribute.name)
    if isinstance(value, list):
        return f"{name}=[{','.join(map(str, value))}]"
    if isinstance(value, float):
        return f"{name}={value:.7g}f"
    return f"{name}={value.decode() if isinstance(value, bytes) else value}"


def listing(path: Path) -> str:
    """A model as lines."""
    graph = open_model(path).graph
    flags = [word for word in ("imported", "tflite") if getattr(graph, word)]
    return "\n".join([" ".join(["opset", str(graph.opset), *flags]), *Listing(graph).lines()])


def networks(cases: Path) -> str:
    """All networks; the head of each is its name."""
    parts = ["# Written by tools/extract_figures.py, which explains the lines.\n"]
    for name, file in FILES.items():
        parts.append(f"\n[{name}]\n{listing(cases / name / file)}\n")
    return "".join(parts)


def builds(cases: Path) -> str:
    """What the compiler made of them, as JSON: a line for each set of pools, and for each build."""
    pools: dict[str, str] = {}
    lines = []
    for compiled in outcomes(cases):
        network = SAME.get(compiled.case.name, compiled.case.name)
        if network not in FILES:
            continue
        build = compiled.snapshot.target.build
        pool = pools.setdefault(json.dumps([astuple(one) for one in build.pools]), f"pools {len(pools) + 1}")
        made = {
            "network": network, "toolchain": compiled.case.toolchain, "options": options_of(build), "pools": pool,
            "epochs": compiled.comparison.totals.epochs,
            "epochs_on_cpu": dict(sorted(compiled.off_npu[1].items())),
            "placements": "".join(placement(compiled, layer) for layer in compiled.comparison.layers),
        } | costs(compiled.case.name, cases)  # fmt: skip
        lines.append(json.dumps(made))
    listed = ",\n".join(f"  {json.dumps(name)}: {text}" for text, name in pools.items())
    return (
        f'{{"pools": {{\n{listed}\n}},\n"builds": [\n' + ",\n".join(f"  {line}" for line in lines) + "\n]}\n"
    )


def options_of(build: Build) -> dict[str, Any]:
    """The options that are not the defaults of the version, pools aside."""
    plain = target(build.toolchain).build
    names = [one.name for one in fields(build) if one.name not in ("pools", "mpool", "toolchain")]
    return {n: getattr(build, n) for n in names if getattr(build, n) != getattr(plain, n)}


def placement(compiled: Outcome, layer: LayerComparison) -> str:
    """'h' for hardware, 'y' for hybrid, 's' for software, '.' where the artefacts do not say, or not one thing."""
    if layer.actual is None or not layer.actual.placement:
        return "."
    if (compiled.case.name, layer.op) in KNOWN:
        return "."
    letters = {
        LETTERS.get(place, "s") for place in (compiled.worst.get(layer.name), layer.actual.placement) if place
    }
    return letters.pop() if len(letters) == 1 else "."


def costs(name: str, cases: Path) -> dict[str, int]:
    """Sums over the epochs of its c_info.json, and the most bytes of activations alive at once."""
    path = cases / name / "c_info.json"
    if not path.exists():
        return {}
    document = json.loads(path.read_text())
    power = document["power_estimates"]
    return {
        "compute_cycles": sum(one["compute_cycles"] for one in power),
        "cycles": sum(one["max_cycles"] for one in power),
        "peak_activations": held_by_compiler(document)[0],
    }


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    cases = parser.parse_args().shared / "groundtruth/cases"
    for path, text in ((DATA / "networks.txt", networks(cases)), (DATA / "builds.json", builds(cases))):
        path.write_text(text)
        print(f"{path}: {len(text):,} bytes")


if __name__ == "__main__":
    main()
