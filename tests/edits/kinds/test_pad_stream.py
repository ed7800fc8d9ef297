"""Padding of all tensors that residual sums tie together: zeros where it begins, a cut where it ends, the same numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import onnx
import pytest
from builders.edit_checks import FEW, edited, opened, refused
from builders.layer_chains import Chain, ChainSpec
from builders.weighted_layers import saved
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.edits.kinds.pad_stream import PadStream
from npuscope.npu.verdict import Placement
from npuscope.numbers.verify_models import verify
from npuscope.session import Session
from npuscope.snapshot import analyse

ENDS = ("int8", "float", "Sigmoid", "Softmax", "Concat", "Conv")


@dataclass(frozen=True)
class StreamSpec:
    """x -> [Conv -> between -> Conv -> Add with what came in] x blocks -> end."""

    channels: int = 5
    hidden: int = 4
    blocks: int = 2
    between: tuple[str, ...] = ("Relu",)
    float_input: bool = True
    end: str = "float"
    seed: int = 0
    per_channel: bool = True


@st.composite
def streams(draw: st.DrawFn) -> StreamSpec:
    return StreamSpec(
        channels=draw(st.integers(2, 9)),
        hidden=draw(st.integers(1, 6)),
        blocks=draw(st.integers(1, 3)),
        between=tuple(draw(st.lists(st.sampled_from(("Relu", "PRelu", "depthwise", "Clip")), max_size=2))),
        float_input=draw(st.booleans()),
        end=draw(st.sampled_from(ENDS)),
        seed=draw(st.integers(0, 99)),
        per_channel=draw(st.booleans()),
    )


def stream_model(spec: StreamSpec) -> onnx.ModelProto:
    build = Chain(ChainSpec(channels=spec.channels, seed=spec.seed, per_channel=spec.per_channel))
    shape = [1, spec.channels, 3, 3]
    if spec.float_input:
        at = build.pair("x", 0.03, 5)
    else:
        at = build.node("DequantizeLinear", "x_DequantizeLinear", ["x", *build.grid("x", 0.03, 5)], "x_dq")
        build.grids["x_dq"] = (0.03, 5)
    for block in range(spec.blocks):
        build.node(
            "Conv",
            f"in{block}",
            [
                at,
                build.weights(f"in{block}_w", (spec.hidden, spec.channels, 1, 1), 0),
                build.bias(f"in{block}_b", spec.hidden),
            ],
            f"in{block}_o",
        )
        inner = build.pair(f"in{block}_o", 0.05, -3)
        for index, op in enumerate(spec.between):
            inner, _ = build.middle(op, 10 * block + index, inner, spec.hidden)
        build.node(
            "Conv",
            f"out{block}",
            [
                inner,
                build.weights(f"out{block}_w", (spec.channels, spec.hidden, 1, 1), 0),
                build.bias(f"out{block}_b", spec.channels),
            ],
            f"out{block}_o",
        )
        build.node("Add", f"sum{block}", [build.pair(f"out{block}_o", 0.04, 7), at], f"sum{block}_o")
        at = build.pair(f"sum{block}_o", 0.06, -2)
    kind, grids = TensorProto.FLOAT, [0.01, 0]
    if spec.end == "int8":
        output, kind = f"{at.removesuffix('_dq')}_q", TensorProto.INT8
    elif spec.end == "float":
        output = at
    elif spec.end == "Sigmoid":
        output = build.pair(build.node("Sigmoid", "end", [at], "end_o"), *grids)  # type: ignore[arg-type]
    elif spec.end == "Softmax":
        output = build.node("Softmax", "end", [at], "end_o", axis=1)
    elif spec.end == "Concat":
        first = build.pair(build.node("Relu", "side", [at], "side_o"), 0.06, -2)
        output = build.pair(build.node("Concat", "end", [at, first], "end_o", axis=1), 0.06, -2)
        shape = [1, 2 * spec.channels, 3, 3]
    else:
        weight = build.weights("end_w", (4, spec.channels, 1, 1), 0)
        output = build.pair(build.node("Conv", "end", [at, weight, build.bias("end_b", 4)], "end_o"), 0.1, 0)
        shape = [1, 4, 3, 3]
    elem = TensorProto.FLOAT if spec.float_input else TensorProto.INT8
    graph = helper.make_graph(
        build.nodes,
        "stream",
        [helper.make_tensor_value_info("x", elem, [1, spec.channels, 3, 3])],
        [helper.make_tensor_value_info(output, kind, shape)],
        build.initializers,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return onnx.shape_inference.infer_shapes(made, strict_mode=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stream")


def pads_and_slices(session: Session) -> tuple[int, int]:
    kinds = [node.op for node in session.graph.nodes]
    return kinds.count("Pad"), kinds.count("Slice")


@FEW
@given(spec=streams(), extra=st.integers(1, 7))
def test_it_changes_no_number(spec: StreamSpec, extra: int, folder: Path) -> None:
    session = opened(saved(stream_model(spec), folder))
    edit = PadStream("in0", spec.channels + extra)
    if spec.blocks + (spec.end == "Conv") < 2:
        assert refused(session, edit)
        return
    changed = edited(session, edit)
    assert verify(session, changed, samples=2).bit_exact
    pads, slices = pads_and_slices(changed)
    assert pads == 1
    assert slices <= (0 if spec.end == "Conv" else 2)
    for name in ("in0", f"out{spec.blocks - 1}", "in1" if spec.blocks > 1 else "in0"):
        weight = changed.layers.by_name[name].weight
        assert weight is not None and spec.channels + extra in (weight.dims or ())


def test_one_pad_serves_all_layers(folder: Path) -> None:
    session = opened(saved(stream_model(StreamSpec(channels=257, hidden=8, blocks=3)), folder))
    before = analyse(session)
    assert [r.name for r in before.off_npu] == ["in0", "in1", "in2"]
    changed = edited(session, PadStream("in1", 264))
    after = analyse(changed, before)
    assert {r.placement for r in after.layers if r.layer.kind == "Conv"} == {Placement.HW}
    assert pads_and_slices(changed) == (1, 1)
    assert verify(session, changed, samples=2).bit_exact


def test_what_it_refuses(folder: Path) -> None:
    spec = StreamSpec()
    session = opened(saved(stream_model(spec), folder))
    assert "cannot be padded to 5" in refused(session, PadStream("in0", 5))
    assert "no layer" in refused(session, PadStream("none", 8))
    alone = opened(saved(stream_model(replace(spec, blocks=1)), folder))
    assert "pad the layer alone" in refused(alone, PadStream("in0", 8))
    inner = refused(session, PadStream("out0", 8))
    assert "no other layer" in inner or "no borders" in inner
    assert isinstance(session.edit(PadChannels("out0", 8)), Session)
