"""Models of opsets 1 to 6 and operators that ONNX had on trial: brought to what they mean, or named as what they break."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from builders.models import analysed
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from npuscope.files.onnx_file import write
from npuscope.machine.machine import target
from npuscope.model.load import Source, load, source_of
from npuscope.model.serialize import to_model
from npuscope.model.validity.faults import fault
from npuscope.session import Session

Array = NDArray[np.generic]
ort.set_default_logger_severity(4)


def drawn(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


A = drawn(2, 3, 4, 5)
ROW, MAP, CHANNEL, FRONT = drawn(5), drawn(3, 4), drawn(3), drawn(2, 3)


@dataclass(frozen=True)
class Form:
    """A node in the form of an opset, its operands, and what it computes."""

    op: str
    opsets: tuple[int, ...]
    inputs: tuple[Array, ...]
    result: Array | None = None
    attributes: dict[str, object] = field(default_factory=dict)
    constants: tuple[int, ...] = ()
    """Positions of operands that are initializers."""

    def model(self, opset: int) -> ModelProto:
        names = [f"x{i}" for i in range(len(self.inputs))]
        kinds = [helper.np_dtype_to_tensor_dtype(array.dtype) for array in self.inputs]
        values = [
            helper.make_tensor_value_info(n, kind, array.shape)
            for n, kind, array in zip(names, kinds, self.inputs, strict=True)
        ]
        bools = self.op in ("And", "Equal", "Greater", "Less", "Or", "Xor")
        made = TensorProto.BOOL if bools else kinds[0]
        if self.op == "Cast" and self.result is not None:
            made = helper.np_dtype_to_tensor_dtype(self.result.dtype)
        graph = helper.make_graph(
            [helper.make_node(self.op, names, ["y"], "the_node", **self.attributes)],
            "g",
            values,
            [helper.make_tensor_value_info("y", made, None if self.result is None else self.result.shape)],
            [numpy_helper.from_array(self.inputs[i], names[i]) for i in self.constants],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=3)

    def run(self, model: ModelProto) -> Array:
        session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        feeds = {f"x{i}": a for i, a in enumerate(self.inputs) if i not in self.constants}
        (made,) = session.run(None, feeds)
        return np.asarray(made)


def faults(source: Source) -> list[str]:
    return [text for node in source.graph.nodes if (text := fault(source.graph, node))]


OLD = (1, 5, 6)
SPREAD: dict[str, object] = {"broadcast": 1}
BOOLS = A > 0
FORMS = [
    Form("Add", OLD, (A, A), A + A),
    Form("Add", OLD, (A, MAP), A + MAP[:, :, None], {**SPREAD, "axis": 1}),
    Form("Sub", OLD, (A, CHANNEL), A - CHANNEL[:, None, None], {**SPREAD, "axis": 1}),
    Form("Sub", OLD, (A, CHANNEL), A - CHANNEL[:, None, None], {**SPREAD, "axis": 1}, (1,)),
    Form("Mul", OLD, (A, ROW), A * ROW, SPREAD),
    Form("Mul", OLD, (A, ROW), A * ROW, {**SPREAD, "axis": 3}),
    Form("Div", OLD, (A, FRONT), A / FRONT[:, :, None, None], {**SPREAD, "axis": 0}),
    Form("Div", OLD, (A, CHANNEL), A / CHANNEL[:, None, None], {**SPREAD, "axis": -3}),
    Form("Pow", OLD, (abs(A), abs(drawn(1))), abs(A) ** abs(drawn(1)), {**SPREAD, "axis": 0}),
    Form("Add", OLD, (A, drawn(1, 1)), A + drawn(1, 1), SPREAD),
    Form("Greater", OLD, (A, CHANNEL), np.greater(A, CHANNEL[:, None, None]), {**SPREAD, "axis": 1}),
    Form("And", OLD, (BOOLS, CHANNEL > 0), BOOLS & (CHANNEL > 0)[:, None, None], {**SPREAD, "axis": 1}),
    Form("PRelu", OLD, (A, CHANNEL), np.where(A < 0, A * CHANNEL[:, None, None], A), {}, (1,)),
    Form("PRelu", OLD, (FRONT, CHANNEL), np.where(FRONT < 0, FRONT * CHANNEL, FRONT)),
    Form("PRelu", OLD, (A, drawn(1)), np.where(A < 0, A * drawn(1), A)),
    Form("Cast", (1, 5), (A,), A.astype(np.int32), {"to": "INT32"}),
    Form("Cast", (1, 5), (A,), A.astype(np.float64), {"to": "double"}),
    Form("Cast", (6,), (A,), A.astype(np.int32), {"to": 6}),
    Form("Concat", (1, 3), (A, A), np.concatenate([A, A], 1)),
    Form("Concat", (1, 3, 4), (A, A), np.concatenate([A, A], 3), {"axis": 3}),
    Form(
        "Pad", (1,), (A,), np.pad(A, ((0, 0), (0, 0), (1, 2), (0, 1)), constant_values=2),
        {"paddings": [0, 0, 1, 0, 0, 0, 2, 1], "value": 2.0},
    ),
    Form("GlobalLpPool", (1,), (A,), (abs(A) ** 3).sum((2, 3), keepdims=True) ** (1 / 3), {"p": 3.0}),
    Form("Selu", (1, 5), (A,), np.where(A > 0, 1.0507 * A, 1.0507 * (1.6732 * np.exp(A) - 1.6732))),
    Form("Reshape", (1, 4), (A,), A.reshape(2, -1, 4), {"shape": [0, -1, 4]}),
    Form("Reshape", (5, 6), (A, np.array([6, 20])), A.reshape(6, 20), {}, (1,)),
    Form("Split", (1,), (A, np.array([2], np.float32)), A, {"axis": 0}, (1,)),
    Form(
        "Tile", (1, 5), (A, np.array([2], np.float32), np.array([1], np.float32)), np.tile(A, (1, 2, 1, 1)),
        {}, (1, 2),
    ),
    Form("Upsample", (1, 6), (A,), A.repeat(2, 2).repeat(3, 3), {"height_scale": 2.0, "width_scale": 3.0}),
    Form("Relu", (1, 5), (A,), np.maximum(A, 0), {"consumed_inputs": [0]}),
    Form("Clip", (1,), (A,), np.clip(A, -0.5, 0.5), {"min": -0.5, "max": 0.5, "consumed_inputs": [0]}),
    Form("Dropout", (1, 6), (A,), A, {"is_test": 1, "ratio": 0.3}),
    Form("Gemm", (1, 6), (FRONT, MAP, drawn(4)), FRONT @ MAP + drawn(4), SPREAD),
    Form("Gemm", (1, 6), (FRONT, MAP, drawn(2, 4)), FRONT @ MAP + drawn(2, 4)),
    Form("Max", OLD, (A, -A), abs(A)),
    Form(
        "BatchNormalization", (6,), (A, CHANNEL, CHANNEL, CHANNEL, abs(CHANNEL)),
        CHANNEL[:, None, None] * (A - CHANNEL[:, None, None]) / np.sqrt(abs(CHANNEL[:, None, None]) + 1e-5)
        + CHANNEL[:, None, None],
        {"is_test": 1, "spatial": 1},
    ),
    Form(
        "BatchNormalization", (6,), (A, A[0], A[0], A[0], abs(A[0])),
        A[0] * (A - A[0]) / np.sqrt(abs(A[0]) + 1e-5) + A[0], {"is_test": 1, "spatial": 0},
    ),
]  # fmt: skip
ROWS = [(form, opset) for form in FORMS for opset in form.opsets]


def named(row: tuple[Form, int]) -> str:
    form, opset = row
    sizes = "-".join("x".join(map(str, array.shape)) for array in form.inputs)
    return f"{form.op}-{opset}-{sizes}-{'-'.join(form.attributes)}"


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_a_form_of_an_older_opset_computes_what_it_means(row: tuple[Form, int]) -> None:
    form, opset = row
    source = source_of(Path("m.onnx"), form.model(opset))
    assert faults(source) == []
    assert source.graph.opset == 7
    assert f"opset {opset}, brought to opset 7" in source.notes[0]
    onnx.checker.check_model(source.proto, full_check=True)
    assert form.result is not None
    np.testing.assert_allclose(form.run(source.proto), form.result, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("op", ["RNN", "GRU", "LSTM"])
def test_a_recurrent_layer_loses_its_output_sequence_alone(op: str) -> None:
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[op]
    inputs = (drawn(5, 2, 3), drawn(1, 4 * gates, 3), drawn(1, 4 * gates, 4))
    form = Form(op, (3,), inputs, None, {"hidden_size": 4, "output_sequence": 1})
    source = source_of(Path("m.onnx"), form.model(3))
    newer = Form(op, (7,), inputs, None, {"hidden_size": 4})
    assert faults(source) == []
    np.testing.assert_array_equal(form.run(source.proto), newer.run(newer.model(7)))


TRIAL = [
    Form("Affine", (1, 6, 7, 9), (A,), None, {"alpha": 2.0, "beta": 1.0}),
    Form("Scale", (1, 9), (A,), None, {"scale": 2.5}),
    Form("ImageScaler", (1, 6, 7, 9), (A,), None, {"scale": 2.0, "bias": [1.0, 2.0, 3.0]}),
    Form("Crop", (6, 9), (A,), None, {"border": [1, 0, 1, 1]}),
    Form("Crop", (6, 9), (A,), None, {"border": [1, 1, 0, 0], "scale": [2, 3]}),
    Form("ScaledTanh", (6, 9), (A,), None, {"alpha": 2.0, "beta": 0.5}),
    Form("ParametricSoftplus", (6, 9), (A,), None, {"alpha": 2.0, "beta": 0.5}),
    Form("ThresholdedRelu", (6, 9), (A,), None, {"alpha": 0.3}),
    Form("ThresholdedRelu", (7,), (A,), None),
    Form("MeanVarianceNormalization", (6, 8), (A,), None, {"across_channels": 0}),
    Form("MeanVarianceNormalization", (6, 8), (A,), None, {"across_channels": 1}),
    Form("MeanVarianceNormalization", (7,), (A,), None, {"normalize_variance": 0}),
]


@pytest.mark.parametrize("row", [(f, o) for f in TRIAL for o in f.opsets], ids=named)
def test_an_operator_on_trial_computes_what_onnxruntime_computes(row: tuple[Form, int]) -> None:
    form, opset = row
    older = form.model(opset)
    source = source_of(Path("m.onnx"), older)
    assert faults(source) == []
    assert any(f"{form.op}: ONNX had such operators on trial" in note for note in source.notes)
    np.testing.assert_allclose(form.run(source.proto), form.run(older), rtol=1e-5, atol=1e-5)


NOT_ALLOWED: list[tuple[Form, str]] = [
    (Form("Add", OLD, (A, ROW)), "without broadcast = 1"),
    (Form("Add", OLD, (ROW, A), None, SPREAD), "the second spreads over the first"),
    (Form("Add", OLD, (A, drawn(4)), None, SPREAD), "the second spreads over the first"),
    (Form("Add", OLD, (A, CHANNEL), None, {**SPREAD, "axis": 2}), "the second spreads over the first"),
    (Form("Gemm", (1, 6), (FRONT, MAP, drawn(4))), "without broadcast = 1"),
    (Form("Max", OLD, (A, ROW)), "must be equal before opset 8"),
    (Form("Mean", (7,), (A, ROW)), "must be equal before opset 8"),
    (Form("Cast", (5,), (A,), A, {"to": 1}), "it must be a STRING"),
    (Form("Cast", (5,), (A,), None, {"to": "FOO"}), "'FOO', which ONNX does not define"),
    (Form("Concat", (4,), (A, A)), "no attribute 'axis', which opset 4 requires"),
    (Form("Pad", (2,), (A,), None, {"paddings": [0] * 8}), "no attribute 'paddings' in opset 2"),
    (Form("Pad", (1,), (A,), None, {"paddings": 1}), "it must be"),
    (Form("GlobalLpPool", (1,), (A,), None, {"p": 2.5}), "a p of 2.5"),
    (Form("Reshape", (5,), (A,), None, {"shape": [0, -1]}), "it is an input there"),
    (Form("Reshape", (4,), (A, np.array([6, 20])), None, {}, (1,)), "has 2 inputs; opset 4 allows 1"),
    (Form("Relu", (6,), (A,), None, {"consumed_inputs": [0]}), "no attribute 'consumed_inputs' in opset 6"),
    (Form("Sin", (6,), (A,)), "opset 6 has no Sin; it came with opset 7"),
    (Form("Equal", (6,), (A, A)), "float32, which opset 6 does not allow"),
    (Form("Tile", (5,), (A, drawn(1), drawn(1))), "not known before the model runs"),
    (Form("Split", (1,), (A, drawn(1))), "takes lengths that are computed"),
    (Form("ImageScaler", (6,), (A,)), "no attribute 'bias'"),
    (Form("Crop", (6,), (A,), None, {"border": [1]}), "a border of 4 numbers"),
    (Form("GivenTensorFill", (6,), (A,)), "no operator 'GivenTensorFill'"),
    (
        Form("BatchNormalization", (6,), (A, MAP, MAP, MAP, MAP), None, {"is_test": 1, "spatial": 0}),
        "for data of 2x3x4x5 (spatial = 0)",
    ),
]


@pytest.mark.parametrize(
    ("form", "opset", "said"), [(f, o, said) for f, said in NOT_ALLOWED for o in f.opsets]
)
def test_what_an_older_opset_does_not_allow_is_named(form: Form, opset: int, said: str) -> None:
    source = source_of(Path("m.onnx"), form.model(opset))
    assert any(said in text for text in faults(source)), faults(source)
    layer = next(layer for layer in analysed(source).layers if layer.layer.core.name == "the_node")
    assert any(finding.code == "N114" and said in finding.message for finding in layer.findings)


def two(ranks_known: bool) -> ModelProto:
    """x -> Reshape of an attribute -> a sum from axis 1 on -> y, the sum behind something of unknown rank or not."""
    nodes = [
        helper.make_node("Reshape", ["x"], ["r"], "r", shape=[2, 3, 4, 5]),
        helper.make_node("Relu", ["r"], ["s"], "s", consumed_inputs=[0]),
        helper.make_node("Add", ["s", "b"], ["t"], "t", broadcast=1, axis=1),
        helper.make_node("PRelu", ["t", "b"], ["u"], "u"),
        helper.make_node("Mul", ["u", "b"], ["y"], "y", broadcast=1, axis=1),
    ]
    if not ranks_known:
        nodes[0] = helper.make_node("Unheard", ["x"], ["r"], "r", domain="someone")
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [120])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(CHANNEL, "b")],
    )
    imports = [helper.make_opsetid("", 1), helper.make_opsetid("someone", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=3)


def test_ranks_follow_through_what_is_itself_of_an_older_form() -> None:
    source = source_of(Path("m.onnx"), two(True))
    assert faults(source) == []
    assert source.graph.type("y").dims == (2, 3, 4, 5)
    session = ort.InferenceSession(source.proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (made,) = session.run(None, {"x": A.reshape(-1)})
    b = CHANNEL[:, None, None]
    t = np.maximum(A, 0) + b
    np.testing.assert_allclose(np.asarray(made), np.where(t < 0, t * b, t) * b, rtol=1e-5, atol=1e-6)


def test_a_rank_that_nothing_says_is_named() -> None:
    assert any("the rank of 's' is not known" in text for text in faults(source_of(Path("m"), two(False))))


def test_a_model_without_opsets_of_before_them_is_of_opset_1() -> None:
    model = Form("Relu", (1,), (A,), None, {"consumed_inputs": [0]}).model(1)
    del model.opset_import[:]
    model.ir_version = 2
    source = source_of(Path("m.onnx"), model)
    assert "The file is of opset 1, brought to opset 7" in source.notes[0]
    assert (source.proto.ir_version, source.graph.opset) == (3, 7)
    model.ir_version = 8
    assert "states no opset" in source_of(Path("m.onnx"), model).notes[0]


def test_training_mode_is_said() -> None:
    form = Form("BatchNormalization", (6,), (A, CHANNEL, CHANNEL, CHANNEL, abs(CHANNEL)))
    notes = source_of(Path("m.onnx"), form.model(6)).notes
    assert any("'the_node' may be in training mode (is_test is 0)" in note for note in notes)


def test_bodies_are_brought_up_too() -> None:
    body = helper.make_graph(
        [helper.make_node("Relu", ["x0"], ["inner"], consumed_inputs=[0])],
        "b",
        [],
        [helper.make_tensor_value_info("inner", TensorProto.FLOAT, A.shape)],
    )
    form = Form("If", (1,), (A,), A)
    model = form.model(1)
    model.graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, [1]))
    model.graph.node[0].CopyFrom(helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body))
    source = source_of(Path("m.onnx"), model)
    onnx.checker.check_model(source.proto)
    session = ort.InferenceSession(source.proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (made,) = session.run(None, {"x0": A, "c": np.array([True])})
    np.testing.assert_array_equal(np.asarray(made), np.maximum(A, 0))


def test_what_is_exported_is_the_newer_form_and_the_file_stays(tmp_path: Path) -> None:
    large = drawn(3, 1 << 19)
    form = Form("Mul", (6,), (drawn(2, 3, 1 << 19), CHANNEL), None, {**SPREAD, "axis": 1}, (1,))
    model = form.model(6)
    model.graph.node.append(helper.make_node("Add", ["y", "w"], ["z"], "sum", broadcast=1))
    model.graph.output[0].name = "z"
    model.graph.initializer.append(numpy_helper.from_array(large, "w"))
    path, out = tmp_path / "old.onnx", tmp_path / "new.onnx"
    onnx.save(model, path)
    before = path.read_bytes()
    source = load(path)
    assert "w" in source.spans
    write(Session.open(source, target("2.1")), out)
    assert path.read_bytes() == before
    again = load(out)
    assert (again.graph.opset, faults(again)) == (7, [])
    assert not any("brought to" in note for note in again.notes)
    expected = form.inputs[0] * CHANNEL[:, None] + large
    np.testing.assert_allclose(form.run(to_model(again, again.graph)), expected, rtol=1e-5)


DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
STORED = sorted((DATA / "pytorch-operator").glob("*/model.onnx"))


def tensors(folder: Path, kind: str) -> list[Array]:
    count = len(list(folder.glob(f"{kind}_*.pb")))
    paths = [folder / f"{kind}_{i}.pb" for i in range(count)]
    return [numpy_helper.to_array(TensorProto.FromString(path.read_bytes())) for path in paths]


def test_the_models_of_2017_in_the_onnx_package_compute_what_is_stored_beside_them() -> None:
    assert STORED, "the onnx package holds its models"
    for path in STORED:
        source = load(path)
        assert faults(source) == [], path
        folder = path.parent / "test_data_set_0"
        feeds = dict(zip(source.graph.inputs, tensors(folder, "input"), strict=True))
        session = ort.InferenceSession(source.proto.SerializeToString(), providers=["CPUExecutionProvider"])
        for made, wanted in zip(session.run(None, feeds), tensors(folder, "output"), strict=True):
            np.testing.assert_allclose(np.asarray(made), wanted, rtol=1e-3, atol=1e-5, err_msg=str(path))
