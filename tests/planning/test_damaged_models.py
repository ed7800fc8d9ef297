"""A damaged model is planned for like any other, or refused in words: no error of ours, no walk without an end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import onnx
import pytest
from builders import models
from builders.edit_checks import opened, refused
from builders.mutations import mutated
from builders.networks.spectrum_masks import mask, quantized

from npuscope.edits.edit import Refusal
from npuscope.edits.kinds.move_quantize import MoveQuantize
from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.edits.kinds.pool_to_conv import PoolToConv
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.edits.kinds.to_qdq import ToQdq
from npuscope.edits.registry import KINDS
from npuscope.edits.toolkit.sizes import equal_parts
from npuscope.model.errors import ModelError
from npuscope.model.layer import BORDER_OPS
from npuscope.model.load import load
from npuscope.planning import candidates
from npuscope.planning.gains import GainScope, weighed
from npuscope.planning.plan import Allowed, Budget
from npuscope.planning.planner import plan
from npuscope.planning.proposals import Preview
from npuscope.planning.ranked_fixes import propose_edits
from npuscope.planning.whole_model import whole_model_edits
from npuscope.snapshot import analyse

EACH = 3
"""Mutations of each edit's example."""


@pytest.mark.parametrize("kind", KINDS)
def test_plans_and_proposals_for_damaged_models(kind: str, tmp_path: Path) -> None:
    sound = onnx.parser.parse_model(KINDS[kind].declaration.example)
    path = tmp_path / "damaged.onnx"
    for seed in range(EACH):
        random = Random(f"{kind} {seed}")
        path.write_bytes(mutated(sound, random).SerializeToString())
        try:
            session = opened(load(path), random.choice(("2.1", "4.0")))
            snapshot = analyse(session)
            planned = plan(session, snapshot, Budget(Allowed.ANY, seconds=1.0))
            for report in snapshot.layers[:3]:
                propose_edits(session, snapshot, report.name)
        except ModelError as error:
            assert str(error) and "\n" not in str(error)
        else:
            assert planned.after.off_npu <= planned.before.off_npu


UNLIKE_NUMBERS = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,4,4,4] x) => (int8[1,4,4,4] y) <float s = {0.1}, int8 z = {5}, float c = {3}>
{ f = DequantizeLinear(x, s, z)
  [op] r = Div(f, c)
  y = Gemm(r, s, z) }"""


@pytest.mark.parametrize("toolchain", ["2.0", "2.1", "4.0"])
def test_gains_where_nothing_forks_and_numberings_differ(toolchain: str, tmp_path: Path) -> None:
    """The schedule packs such steps in one order; trials of edits ask for all."""
    session = opened(models.from_text(UNLIKE_NUMBERS, tmp_path), toolchain)
    assert weighed(session, analyse(session, keep=True), GainScope.ALL) is not None


@pytest.mark.parametrize("kind", KINDS)
def test_no_edit_of_an_invalid_layer_is_proposed(kind: str, tmp_path: Path) -> None:
    model = onnx.parser.parse_model(KINDS[kind].declaration.example)
    operators = [node for node in model.graph.node if node.op_type not in {*BORDER_OPS, "Constant"}]
    for node in operators:
        node.attribute.append(onnx.helper.make_attribute("of_no_schema", 1))
    path = tmp_path / "invalid.onnx"
    path.write_bytes(model.SerializeToString())
    session = opened(load(path), "4.0")
    snapshot = analyse(session)
    invalid = [r.name for r in snapshot.layers if any(f.code == "N114" for f in r.findings)]
    assert len(invalid) == len(operators)
    for name in invalid:
        assert not propose_edits(session, snapshot, name) and not candidates.candidates(
            session, snapshot, name
        )
    assert not {step.layer for step in plan(session, snapshot, Budget(Allowed.ANY, seconds=1.0)).steps} & {
        *invalid
    }
    assert not any(isinstance(edit, ToQdq) for edit in whole_model_edits(session))


_MANY_CHANNELS = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,1099511627776,9,9] x) => (int8[1,1099511627776,3,3] y) <float s = {0.1}, int8 z = {0}>
{ d = DequantizeLinear(x, s, z)
  [op] p = AveragePool<kernel_shape = [5, 5], strides = [2, 2]>(d)
  y = QuantizeLinear(p, s, z) }"""


def test_no_edit_makes_constants_of_the_sizes_that_a_model_or_a_user_claims(tmp_path: Path) -> None:
    assert "elements" in str(refused(opened(models.from_text(_MANY_CHANNELS, tmp_path)), PoolToConv("op")))
    assert refused(opened(load(models.DENOISER)), PadChannels("Gemm_28", 1 << 41))


_MORE_GROUPS_THAN_CHANNELS = """<ir_version: 8, opset_import: ["" : 13]>
g (float[1,4,8,8] x) => (float[1,4,8,8] y) <float[4,1,1,1] w = {1, 2, 3, 4}>
{ [op] y = Conv<group = 9, kernel_shape = [1, 1]>(x, w) }"""


def test_a_source_of_proposals_that_meets_a_contradiction_proposes_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = opened(models.from_text(_MORE_GROUPS_THAN_CHANNELS, tmp_path))
    plan(session, analyse(session), Budget(Allowed.ANY, seconds=60.0))
    assert isinstance(equal_parts(4, 2, 0), Refusal)

    def contradicts(*_: object) -> Iterator[Preview]:
        raise ZeroDivisionError
        yield

    monkeypatch.setattr(candidates, "SOURCES", (contradicts, *candidates.SOURCES))
    sound = opened(load(models.DENOISER))
    assert candidates.candidates(sound, analyse(sound), "Gemm_28")


_FED_BY_ITSELF = """<ir_version: 8, opset_import: ["" : 13]>
g (float[1,4] x) => (int8[4] y) <float s = {0.1}, int8 z = {0}, int64[1] t = {4}>
{ [op] r = Relu(x)
  m = Reshape(r, t)
  n = Reshape(n, t)
  y = QuantizeLinear(m, s, z) }"""


def test_a_reshape_that_feeds_itself_ends_the_walk(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(_FED_BY_ITSELF)
    model.graph.node[1].output[0] = "r"
    path = tmp_path / "loop.onnx"
    path.write_bytes(model.SerializeToString())
    session = opened(load(path))
    for layer in session.layers.layers:
        MoveQuantize(layer.name).apply(session.graph, session.layers)


_SHORT = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,4] x) => (int8[1,2] y) <float s = {0.1}, int8 z = {0}, int8[4,2] w = {1, 2, 3, 4, 5, 6, 7, 8}>
{ [op] y = QLinearMatMul(x, s, z, w) }"""


def test_an_operator_without_its_operands_is_refused_in_words(tmp_path: Path) -> None:
    session = opened(models.from_text(_SHORT, tmp_path))
    assert refused(session, SplitOutput("op", (1, 1)))


def test_a_layer_without_all_its_weights_is_left_and_the_others_are_planned_for(tmp_path: Path) -> None:
    source = quantized(mask())
    sound = opened(source, "4.0")
    complete = plan(sound, analyse(sound), Budget(seconds=60.0))
    model = onnx.ModelProto()
    model.CopyFrom(source.proto)
    hurt = sound.layers.by_name[complete.steps[0].layer].weight
    assert hurt is not None and hurt.constant is not None and len(complete.steps) > 1
    tensor = next(t for t in model.graph.initializer if t.name == hurt.constant.name)
    tensor.raw_data = tensor.raw_data[:7]
    path = tmp_path / "short.onnx"
    path.write_bytes(model.SerializeToString())
    session = opened(load(path), "4.0")
    planned = plan(session, analyse(session), Budget(seconds=60.0))
    assert {step.layer for step in complete.steps[1:]} & {step.layer for step in planned.steps}
    assert complete.steps[0].layer not in {step.layer for step in planned.steps}
