"""The networks of tests/data/networks.txt as models, and how they were compiled. Values of weights are drawn.

tools/extract_figures.py writes the data and explains its lines.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from npuscope.machine.machine import target, target_of
from npuscope.machine.pools import PoolSpec
from npuscope.model.load import Source, source_of
from npuscope.npu.verdict import Placement
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot, analyse

DATA = Path(__file__).resolve().parents[2] / "data"
TYPES = {
    "i8": np.int8, "u8": np.uint8, "i16": np.int16, "i32": np.int32, "i64": np.int64, "f32": np.float32, "b": np.bool_,
}  # fmt: skip
LONG = {"k": "kernel_shape", "s": "strides", "p": "pads", "d": "dilations", "g": "group"}
LONG |= {"Q": "QuantizeLinear", "DQ": "DequantizeLinear"}
_LETTERS = {Placement.HW: "h", Placement.HYBRID: "y"}


@dataclass(frozen=True)
class CompiledBuild:
    """A network as one version of the compiler made it; see tools/extract_figures.py."""

    network: str
    toolchain: str
    options: dict[str, object]
    pools: tuple[PoolSpec, ...]
    epochs: int
    epochs_on_cpu: dict[str, int]
    placements: str
    compute_cycles: int = 0
    cycles: int = 0
    peak_activations: int = 0

    @property
    def predicted(self) -> Snapshot:
        """The network, analysed for this build."""
        return _predicted(BUILDS.index(self))

    def agrees(self, report: LayerReport, letter: str) -> bool:
        """The layer is placed as the compiler placed it; versions up to 2.2 call hybrid operators software."""
        ours = _LETTERS.get(report.placement, "s")
        return ours == letter or (self.toolchain < "3" and letter == "s" and ours == "y")

    @property
    def f1(self) -> float:
        """Of the epochs that need the CPU, by operator."""
        ours = Counter(epoch.op for epoch in self.predicted.epochs if epoch.placement is not Placement.HW)
        compiled = Counter(self.epochs_on_cpu)
        return 2 * (ours & compiled).total() / (ours.total() + compiled.total()) if ours or compiled else 1.0

    def __str__(self) -> str:
        return f"{self.network}-{self.toolchain}"


def _builds() -> tuple[CompiledBuild, ...]:
    document = json.loads((DATA / "builds.json").read_text("utf-8"))
    pools = {name: tuple(PoolSpec(*one) for one in listed) for name, listed in document["pools"].items()}
    return tuple(CompiledBuild(**{**one, "pools": pools[one["pools"]]}) for one in document["builds"])


BUILDS = _builds()


@cache
def _predicted(index: int) -> Snapshot:
    made = BUILDS[index]
    options = {name: tuple(v) if isinstance(v, list) else v for name, v in made.options.items()}
    build = replace(target(made.toolchain).build, pools=made.pools, mpool="the build's", **options)
    return analyse(Session.open(network(made.network), target_of(build)))


@cache
def listings() -> dict[str, str]:
    """Network -> its lines."""
    parts = (DATA / "networks.txt").read_text("utf-8").split("\n[")[1:]
    return {name: text.strip() for name, _, text in (part.partition("]\n") for part in parts)}


@cache
def network(name: str) -> Source:
    """A network, as a model that was opened."""
    return _source(name, listings()[name].split("\n"))


class _Reader:
    """Makes the nodes and constants of one network from its lines."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.tensors: list[str] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.marks: dict[str, set[str]] = {"s": set(), "f": set()}
        self.outputs: list[onnx.ValueInfoProto] = []
        self.random = np.random.default_rng(0)

    def line(self, text: str) -> None:
        """An input, the outputs, or an operator."""
        words = text.split()
        if words[0] in ("input", "output"):
            dtype = helper.np_dtype_to_tensor_dtype(np.dtype(TYPES[words[1]]))
            sizes, marks = words[2].rstrip("sf"), words[2].lstrip("0123456789x")
            name = self.tensor("input") if words[0] == "input" else self.tensors[int(words[3])]
            ends = self.inputs if words[0] == "input" else self.outputs
            ends.append(
                helper.make_tensor_value_info(name, dtype, [int(size) for size in sizes.split("x") if size])
            )
            for mark in marks:
                self.marks[mark].add(name)
        else:
            self.operator(words)

    def tensor(self, kind: str) -> str:
        self.tensors.append(f"{kind}_{len(self.tensors)}")
        return self.tensors[-1]

    def operator(self, words: list[str]) -> None:
        at = words.index("|") if "|" in words else len(words)
        words, grid = words[:at], words[at + 1 :]
        (op, _, domain), rest = words[0].partition("@"), words[1:]
        op = LONG.get(op, op)
        inputs = [self.operand(word) for word in rest if not _is_attribute(word)]
        attributes = dict(_attribute(word) for word in rest if _is_attribute(word))
        count = attributes.pop("outputs", 1)
        assert isinstance(count, int)
        if grid:
            made = f"{op}_{len(self.tensors)}_real"
            self.nodes.append(
                helper.make_node(op, inputs, [made], name=f"{op}_{len(self.tensors)}", **attributes)
            )
            constants = self.grid(grid)
            stored = f"{op}_{len(self.tensors)}_stored"
            self.nodes.append(
                helper.make_node("QuantizeLinear", [made, *constants], [stored], name=f"{stored}_q")
            )
            self.nodes.append(
                helper.make_node(
                    "DequantizeLinear", [stored, *constants], [self.tensor(op)], name=f"{stored}_dq"
                )
            )
            return
        name = f"{op}_{len(self.tensors)}"
        self.nodes.append(
            helper.make_node(
                op, inputs, [self.tensor(op) for _ in range(count)], name=name, domain=domain, **attributes
            )
        )

    def operand(self, word: str) -> str:
        if word == "-":
            return ""
        if word.isdigit():
            return self.tensors[int(word)]
        stored, _, grid = word.partition("*")
        name = self.constant(stored)
        if not grid:
            return name
        grid, _, axis = grid.partition("/")
        inputs = [name, *self.grid(grid.split(","))]
        more = {"axis": int(axis)} if axis else {}
        self.nodes.append(
            helper.make_node("DequantizeLinear", inputs, [f"{name}_real"], name=f"{name}_dq", **more)
        )
        return f"{name}_real"

    def grid(self, words: list[str]) -> list[str]:
        scale, _, count = words[0].partition("x")
        shape = (int(count),) if count else ()
        made = [self.hold(np.full(shape, float(scale), np.float32))]
        if len(words) > 1:
            made.append(self.hold(np.full(shape, int(words[1]), TYPES[words[2]])))
        return made

    def constant(self, word: str) -> str:
        kind, _, rest = word.partition(":")
        sizes, _, values = rest.partition("=")
        shape = tuple(int(size) for size in sizes.split("x") if size)
        dtype = TYPES[kind]
        if values:
            listed = np.array([float(v) for v in values.split(",")]).astype(dtype)
            return self.hold(np.full(shape, listed[0]) if listed.size == 1 else listed.reshape(shape))
        if dtype is np.float32:
            return self.hold(self.random.uniform(0.001, 1, shape).astype(np.float32))
        return self.hold(
            self.random.integers(*((0, 256) if kind == "u8" else (-127, 128)), shape).astype(dtype)
        )

    def hold(self, value: NDArray[np.generic]) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name


def _is_attribute(word: str) -> bool:
    return "=" in word and ":" not in word.partition("=")[0]


def _attribute(word: str) -> tuple[str, object]:
    name, _, text = word.partition("=")
    name = LONG.get(name, name)
    if text.startswith("["):
        return name, [float(v) if "." in v else int(v) for v in text[1:-1].split(",") if v]
    if text.lstrip("-").isdigit():
        return name, int(text)
    try:
        return name, float(text.removesuffix("f"))
    except ValueError:
        return name, text


def _source(name: str, lines: list[str]) -> Source:
    _, opset, *flags = lines[0].split()
    reader = _Reader()
    for line in lines[1:]:
        reader.line(line)
    graph = helper.make_graph(reader.nodes, "network", reader.inputs, reader.outputs, reader.constants)
    domains = {"": int(opset)} | {node.domain: 1 for node in reader.nodes if node.domain}
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid(*one) for one in domains.items()], ir_version=8
    )
    source = source_of(Path(f"{name}.onnx"), model)
    marked = replace(
        source.graph,
        imported="imported" in flags,
        tflite="tflite" in flags,
        stored_ends=frozenset(reader.marks["s"]),
        stored_floats=frozenset(reader.marks["f"]),
    )
    return replace(source, graph=marked, digest=hashlib.sha256(model.SerializeToString()).hexdigest())
