"""Whatever the ONNX checker accepts is judged, and every node has its place."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from builders.agreement import epochs_and_layers_agree, findings_name_causes
from builders.longer import suite_or_long
from builders.models import SAMPLES
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from npuscope.machine.catalogue import TOOLCHAINS
from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

UNARY = [
    "Relu",
    "Sigmoid",
    "HardSigmoid",
    "Softmax",
    "Abs",
    "Neg",
    "Exp",
    "Log",
    "Sqrt",
    "Tanh",
    "Erf",
    "Elu",
    "Clip",
    "Identity",
    "Flatten",
    "Dropout",
    "Shape",
    "Softplus",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "LogSoftmax",
    "HardSwish",
    "Gelu",
    "Transpose",
    "Cast",
    "Not",
    "Floor",
]
BINARY = [
    "Add",
    "Sub",
    "Mul",
    "Div",
    "MatMul",
    "Max",
    "Pow",
    "PRelu",
    "Equal",
    "Where",
    "Gather",
    "Gemm",
    "Sum",
]
POOLS = ["AveragePool", "MaxPool", "LpPool"]
SIZES = st.one_of(st.integers(1, 9), st.sampled_from([16, 257, 70_000]), st.just("N"), st.just(0))
SMALL = st.integers(-3, 5)


@dataclass
class Drawn:
    """A graph while it is drawn."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    tensors: list[str] = field(default_factory=list)

    def new(self, stem: str) -> str:
        return f"{stem}{len(self.nodes)}_{len(self.constants)}"

    def constant(self, array: np.ndarray[Any, Any]) -> str:
        name = self.new("c")
        self.constants.append(numpy_helper.from_array(array, name))
        return name


@st.composite
def graphs(draw: st.DrawFn) -> onnx.ModelProto:
    drawn = Drawn()
    inputs = []
    for k in range(draw(st.integers(1, 2))):
        shape = draw(st.lists(SIZES, max_size=5))
        kind = draw(st.sampled_from([TensorProto.FLOAT, TensorProto.INT8, TensorProto.UINT8]))
        inputs.append(helper.make_tensor_value_info(f"x{k}", kind, shape))
        drawn.tensors.append(f"x{k}")
    for _ in range(draw(st.integers(1, 7))):
        step(draw, drawn)
    outputs = draw(st.lists(st.sampled_from(drawn.tensors), min_size=1, max_size=2, unique=True))
    graph = helper.make_graph(
        drawn.nodes,
        "g",
        inputs,
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, draw(st.lists(SIZES, max_size=5)))
            for name in outputs
        ],
        drawn.constants,
    )
    opset = draw(st.sampled_from([10, 11, 13, 17, 21, 23]))
    imports = [
        helper.make_opsetid("", opset),
        helper.make_opsetid("com.microsoft", 1),
        helper.make_opsetid("my", 1),
    ]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def step(draw: st.DrawFn, drawn: Drawn) -> None:
    """One more node, perhaps with a DQ before it and a Q behind it."""
    source = draw(st.sampled_from(drawn.tensors))
    if draw(st.booleans()):
        source = border(draw, drawn, "DequantizeLinear", source)
    kind = draw(st.integers(0, 8))
    attributes: dict[str, Any] = {}
    domain, outputs = "", 1
    inputs = [source]
    if kind == 0:
        op = draw(st.sampled_from(UNARY))
        if op == "Transpose" and draw(st.booleans()):
            attributes["perm"] = draw(st.lists(st.integers(0, 4), min_size=1, max_size=5))
        if op == "Cast":
            attributes["to"] = draw(st.sampled_from([TensorProto.FLOAT, TensorProto.INT8]))
    elif kind == 1:
        op = draw(st.sampled_from(BINARY))
        inputs.append(other(draw, drawn))
        if op == "Where":
            inputs.append(other(draw, drawn))
    elif kind == 2:
        op = draw(st.sampled_from(["Conv", "ConvTranspose", "Gemm", "MatMul"]))
        inputs.append(weights(draw, drawn))
        if op.startswith("Conv"):
            for name in ("strides", "dilations", "pads", "kernel_shape", "group"):
                if draw(st.booleans()):
                    values = draw(st.lists(SMALL, min_size=1, max_size=4))
                    attributes[name] = values[0] if name == "group" else values
    elif kind == 3:
        op = draw(st.sampled_from(POOLS))
        attributes["kernel_shape"] = draw(st.lists(SMALL, min_size=1, max_size=3))
        if draw(st.booleans()):
            attributes["strides"] = draw(st.lists(SMALL, min_size=1, max_size=3))
    elif kind == 4:
        op = draw(
            st.sampled_from(["Reshape", "Expand", "Tile", "Pad", "Slice", "Unsqueeze", "ReduceMean", "TopK"])
        )
        count = 3 if op == "Slice" else 1
        inputs += [
            drawn.constant(np.array(draw(st.lists(SMALL, max_size=5)), np.int64)) for _ in range(count)
        ]
        outputs = 2 if op == "TopK" else 1
    elif kind == 5:
        op = draw(st.sampled_from(["Concat", "Split", "Squeeze", "ArgMax"]))
        attributes["axis"] = draw(SMALL)
        if op == "Concat":
            inputs += [other(draw, drawn) for _ in range(draw(st.integers(0, 2)))]
        outputs = draw(st.integers(1, 3)) if op == "Split" else 1
    elif kind == 6:
        op = "Resize"
        inputs += ["", drawn.constant(np.array(draw(st.lists(st.floats(0.5, 3), max_size=4)), np.float32))]
        attributes["mode"] = draw(st.sampled_from(["nearest", "linear", "cubic"]))
    elif kind == 7:
        op = draw(st.sampled_from(["QLinearAdd", "QGemm", "QLinearSigmoid", "Gelu", "QAttention"]))
        domain = "com.microsoft"
        inputs += [drawn.constant(np.float32(0.1)), drawn.constant(np.int8(1))] * draw(st.integers(0, 3))
    else:
        op, domain = draw(st.sampled_from(["Strange", "Conv"])), "my"
    made = [drawn.new(f"t{k}") for k in range(outputs)]
    drawn.nodes.append(
        helper.make_node(
            op, inputs, made, domain=domain, name=draw(st.sampled_from(["", "same"])), **attributes
        )
    )
    drawn.tensors += made
    if draw(st.booleans()):
        border(draw, drawn, "QuantizeLinear", made[0])


def other(draw: st.DrawFn, drawn: Drawn) -> str:
    if draw(st.booleans()):
        return draw(st.sampled_from(drawn.tensors))
    return drawn.constant(np.ones(draw(st.lists(st.integers(1, 4), max_size=4)), np.float32))


def weights(draw: st.DrawFn, drawn: Drawn) -> str:
    shape = draw(st.lists(st.integers(1, 4), max_size=5))
    if draw(st.booleans()):
        return drawn.constant(np.ones(shape, np.float32))
    return border(draw, drawn, "DequantizeLinear", drawn.constant(np.ones(shape, np.int8)))


def border(draw: st.DrawFn, drawn: Drawn, op: str, tensor: str) -> str:
    """A Q or DQ; scales and zero points of every sort."""
    scale = draw(
        st.sampled_from([np.float32(0.1), np.float32(0), np.ones(3, np.float32), np.float32(np.inf)])
    )
    inputs = [tensor, drawn.constant(np.asarray(scale))]
    if draw(st.booleans()):
        zero = draw(
            st.sampled_from([np.int8(0), np.int8(-128), np.uint8(128), np.zeros(3, np.int8), np.int16(5)])
        )
        inputs.append(drawn.constant(np.asarray(zero)))
    name = drawn.new("b")
    drawn.nodes.append(helper.make_node(op, inputs, [name]))
    drawn.tensors.append(name)
    return name


def well_formed(session: Session, snapshot: Snapshot) -> None:
    """What must hold of every analysis."""
    constants = Counter(node for layer in session.layers.layers for node in layer.nodes)
    constants.update(session.layers.unattached)
    assert constants == Counter(node.name for node in session.graph.nodes)
    assert [r.name for r in snapshot.layers] == [layer.name for layer in session.layers.layers]
    for report in snapshot.layers:
        assert report.epoch is None or report.name in snapshot.epochs[report.epoch - 1].layers
    assert [epoch.index for epoch in snapshot.epochs] == list(range(1, len(snapshot.epochs) + 1))
    listed = {name for epoch in snapshot.epochs for name in epoch.layers}
    assert listed <= set(snapshot.by_name)
    assert all(epoch.layers or epoch.inserted for epoch in snapshot.epochs)
    epochs_and_layers_agree(snapshot)
    findings_name_causes(snapshot)


@settings(
    max_examples=suite_or_long(30, 1875),
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(graphs(), st.sampled_from(TOOLCHAINS))
def test_no_accepted_model_makes_the_engine_raise(
    tmp_path_factory: pytest.TempPathFactory, proto: onnx.ModelProto, toolchain: str
) -> None:
    try:
        onnx.checker.check_model(proto)
    except onnx.checker.ValidationError:
        assume(False)
    path = tmp_path_factory.getbasetemp() / "drawn.onnx"
    onnx.save(proto, path)
    session = Session.open(load(path), target(toolchain))
    well_formed(session, analyse(session))


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.onnx")), ids=lambda path: path.stem)
@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_samples_are_well_formed(path: Path, toolchain: str) -> None:
    session = Session.open(load(path), target(toolchain))
    well_formed(session, analyse(session))
