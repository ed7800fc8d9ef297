"""The sample models hold what sample_models/README.md says of them."""

import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

FOLDER = Path(__file__).resolve().parents[1] / "sample_models"
SIZE_LIMITS = {
    "denoiser_lstm_int8": 1_400_000,
    "denoiser_lstm_float": 5_100_000,
    "mobilenet_mini_int8": 400_000,
    "attention_block_int8": 400_000,
    "convnet_qoperator": 100_000,
}
"""Bytes; their sum keeps the folder under 9 MB."""

NAMES = sorted(SIZE_LIMITS)
EXPORTED = re.compile(r"_fixed\d*$")
"""What `e` and the README's example write beside a sample: no sample, and not in the repository."""

STATE_INPUTS = ["Input_13_out_0", "Input_9_out_0", "Input_4_out_0", "Input_0_out_0"]
STATE_OUTPUTS = ["Quantize_47_out_0", "Quantize_49_out_0", "Quantize_70_out_0", "Quantize_72_out_0"]
INPUT_SHAPES = {"Input_18_out_0": (1, 257, 1)} | dict.fromkeys(STATE_INPUTS, (1, 256))
OUTPUT_SHAPES = {"Quantize_84_out_0": (1, 257, 1)} | dict.fromkeys(STATE_OUTPUTS, (1, 256))


class Reading:
    """One sample model with its constants and the writer of each tensor at hand."""

    def __init__(self, name: str) -> None:
        self.model = onnx.load(FOLDER / f"{name}.onnx")
        self.graph = self.model.graph
        self.values = {tensor.name: numpy_helper.to_array(tensor) for tensor in self.graph.initializer}
        self.writer = {output: node for node in self.graph.node for output in node.output}

    def layers(self, *ops: str) -> list[onnx.NodeProto]:
        return [node for node in self.graph.node if node.op_type in ops]

    def compute_nodes(self) -> list[onnx.NodeProto]:
        quantizers = ("QuantizeLinear", "DequantizeLinear")
        return [node for node in self.graph.node if node.op_type not in quantizers]

    def output_of(self, name: str) -> str:
        (output,) = (node.output[0] for node in self.graph.node if node.name == name)
        return str(output)

    def constant(self, tensor: str) -> NDArray[Any]:
        """The stored values behind a tensor, seen through its DequantizeLinear."""
        node = self.writer.get(tensor)
        if node is not None and node.op_type == "DequantizeLinear":
            tensor = node.input[0]
        return self.values[tensor]

    def is_constant(self, tensor: str) -> bool:
        node = self.writer.get(tensor)
        return (node.input[0] if node is not None else tensor) in self.values

    def quantization(self, tensor: str) -> tuple[float, int] | None:
        """Scale and zero point of an activation, or None where it is float."""
        around = [
            node for node in self.graph.node if node.op_type == "QuantizeLinear" and tensor in node.input
        ]
        node = self.writer.get(tensor)
        if node is not None and node.op_type == "DequantizeLinear":
            around = [node]
        if not around:
            return None
        return float(self.values[around[0].input[1]]), int(self.values[around[0].input[2]])

    def zero_point(self, tensor: str) -> int:
        quantization = self.quantization(tensor)
        assert quantization is not None, tensor
        return quantization[1]

    def session(self) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        # As written: fused kernels saturate on processors without VNNI.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        return onnxruntime.InferenceSession(
            self.model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )


reading = cache(Reading)


def shapes(values: Any) -> dict[str, tuple[int, ...]]:
    return {value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim) for value in values}


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


def random_inputs(session: onnxruntime.InferenceSession, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    return {
        value.name: rng.integers(-128, 128, value.shape).astype(np.int8)
        if value.type == "tensor(int8)"
        else rng.standard_normal(value.shape).astype(np.float32)
        for value in session.get_inputs()
    }


def sqnr_db(wanted: NDArray[Any], got: NDArray[Any]) -> float:
    return float(10 * np.log10(np.square(wanted).sum() / np.square(wanted - got).sum()))


@pytest.mark.parametrize("name", NAMES)
def test_every_model_is_valid_small_and_names_its_origin(name: str) -> None:
    path = FOLDER / f"{name}.onnx"
    onnx.checker.check_model(str(path), full_check=True)
    assert path.stat().st_size <= SIZE_LIMITS[name]
    model = reading(name).model
    assert model.producer_name == "npuscope samples"
    assert {prop.key for prop in model.metadata_props} == {
        "numpy_version",
        "onnx_version",
        "onnxruntime_version",
    }
    assert {entry.domain: entry.version for entry in model.opset_import}[""] == 13
    names = [node.name for node in model.graph.node]
    assert len(set(names)) == len(names)
    assert all(names)
    read = {tensor for node in model.graph.node for tensor in node.input}
    assert {tensor.name for tensor in model.graph.initializer} <= read


@pytest.mark.parametrize("name", NAMES)
def test_every_model_runs(name: str) -> None:
    session = reading(name).session()
    rng = np.random.default_rng(0)
    runs = [session.run(None, random_inputs(session, rng)) for _ in range(3)]
    for index, value in enumerate(session.get_outputs()):
        results = np.stack([run[index] for run in runs]).astype(np.float64)
        assert list(results.shape[1:]) == value.shape
        assert np.isfinite(results).all()
        assert np.ptp(results, axis=0).max() > 0, f"{value.name} ignores the input"


def test_nothing_else_lies_in_the_folder() -> None:
    written = (path.stem for path in FOLDER.glob("*.onnx") if not EXPORTED.search(path.stem))
    assert sorted(written) == NAMES
    assert sum(SIZE_LIMITS.values()) < 9_000_000


@pytest.mark.parametrize(
    ("name", "dtype"), [("denoiser_lstm_int8", TensorProto.INT8), ("denoiser_lstm_float", TensorProto.FLOAT)]
)
def test_denoiser_interface_and_parameters(name: str, dtype: int) -> None:
    network = reading(name)
    assert shapes(network.graph.input) == INPUT_SHAPES
    assert shapes(network.graph.output) == OUTPUT_SHAPES
    borders = (*network.graph.input, *network.graph.output)
    assert {value.type.tensor_type.elem_type for value in borders} == {dtype}
    operands = [tensor for node in network.layers("Conv", "Gemm") for tensor in node.input[1:]]
    splits = [node.input[1] for node in network.layers("Split")]
    assert len(set(splits)) == 2
    assert sum(network.constant(tensor).size for tensor in operands + splits) == 1_250_317


@pytest.mark.parametrize("name", ["denoiser_lstm_int8", "denoiser_lstm_float"])
def test_denoiser_layers(name: str) -> None:
    network = reading(name)
    layers = {
        node.name: (*reversed(network.constant(node.input[1]).shape[:2]), len(node.input) == 3)
        for node in network.layers("Conv", "Gemm")
    }
    assert layers == {
        "Conv2D_23": (257, 257, True),
        "Gemm_28": (257, 1024, True),
        "Gemm_30": (256, 1024, False),
        "Gemm_51": (256, 1024, True),
        "Gemm_53": (256, 1024, False),
        "Gemm_74": (256, 257, True),
        "Conv2D_79": (257, 257, True),
    }
    cells = {"Add": 4, "Split": 2, "Sigmoid": 7, "Tanh": 4, "Mul": 6}
    assert (
        Counter(node.op_type for node in network.compute_nodes())
        == {
            "Conv": 2,
            "Gemm": 5,
            "Flatten": 1,
            "Unsqueeze": 1,
        }
        | cells
    )


@pytest.mark.parametrize("name", ["denoiser_lstm_int8", "denoiser_lstm_float"])
def test_denoiser_scopes(name: str) -> None:
    scopes = {
        node.name: {prop.key: prop.value for prop in node.metadata_props} for node in reading(name).graph.node
    }
    assert Counter(props["namespace"] for props in scopes.values()).keys() == {
        *("input", "lstm_0", "lstm_1", "mask")
    }
    assert scopes["Conv2D_23"] == {"namespace": "input"}
    assert scopes["Gemm_28"] == {"namespace": "lstm_0"}
    assert scopes["Gemm_53"] == {"namespace": "lstm_1"}
    assert scopes["Conv2D_79"] == {"namespace": "mask"}


def test_denoiser_quantization_is_the_case() -> None:
    network = reading("denoiser_lstm_int8")

    wanted = {"Input_18_out_0": (0.024541926, 2)} | dict.fromkeys(STATE_INPUTS, (0.023921722, 5))
    for name, (scale, zero_point) in wanted.items():
        (node,) = (node for node in network.layers("DequantizeLinear") if node.input[0] == name)
        assert float(network.values[node.input[1]]) == pytest.approx(scale, rel=1e-6)
        assert int(network.values[node.input[2]]) == zero_point
    zero_points = {name: int(network.values[network.writer[name].input[2]]) for name in OUTPUT_SHAPES}
    assert list(zero_points.values()) == [-128, 0, 0, -2, -1]
    inputs = {node.name: network.zero_point(node.input[0]) for node in network.layers("Conv", "Gemm")}
    assert inputs["Gemm_30"] == inputs["Gemm_53"] == 5
    assert inputs["Gemm_51"] == 0
    assert all(inputs[name] not in (0, -128) for name in inputs if name != "Gemm_51")
    for node in network.layers("Conv", "Gemm"):
        weight = network.writer[node.input[1]]
        values, scales, zeros = (network.values[name] for name in weight.input)
        assert values.dtype == np.int8
        assert scales.shape == values.shape[:1]
        assert not zeros.any()
        assert np.abs(values.astype(np.int32)).max() == 127


def test_denoiser_int8_follows_the_float_model() -> None:
    network = reading("denoiser_lstm_int8")
    int8, real = network.session(), reading("denoiser_lstm_float").session()
    rng = np.random.default_rng(3)
    scales = {name: network.values[f"{name}_scale"] for name in (*INPUT_SHAPES, *OUTPUT_SHAPES)}
    zeros = {name: network.values[f"{name}_zero_point"].astype(np.float32) for name in scales}
    wanted: dict[str, list[NDArray[Any]]] = {name: [] for name in OUTPUT_SHAPES}
    got: dict[str, list[NDArray[Any]]] = {name: [] for name in OUTPUT_SHAPES}
    for _ in range(4):
        steps = random_inputs(int8, rng)
        reals = {name: (step - zeros[name]) * scales[name] for name, step in steps.items()}
        for name, a, b in zip(OUTPUT_SHAPES, int8.run(None, steps), real.run(None, reals), strict=True):
            got[name].append((a - zeros[name]) * scales[name])
            wanted[name].append(b)
    assert all(sqnr_db(np.stack(wanted[name]), np.stack(got[name])) > 25 for name in OUTPUT_SHAPES)
    mask = np.stack(got["Quantize_84_out_0"])
    assert np.quantile(mask, 0.01) < 0.25
    assert np.quantile(mask, 0.99) > 0.75


def test_mobilenet_zero_points_and_shapes() -> None:
    network = reading("mobilenet_mini_int8")
    convolutions = network.layers("Conv")
    assert len(convolutions) == 17
    depthwise = [attributes(node) for node in convolutions if attributes(node)["group"] > 1]
    assert [(conv["kernel_shape"], conv["strides"]) for conv in depthwise] == [
        ([3, 3], [1, 1]),
        ([3, 3], [2, 2]),
        ([3, 3], [1, 1]),
        ([5, 5], [2, 2]),
        ([3, 3], [1, 1]),
    ]
    zero_points = {node.name: network.zero_point(node.output[0]) for node in convolutions}
    projections = {name for name in zero_points if name.endswith("/project/Conv")}
    assert len(projections) == 5
    assert all(zero_points[name] not in (0, -128) for name in projections)
    assert all(zero_points[name] == -128 for name in zero_points.keys() - projections)
    assert not network.layers("Clip", "Relu")
    assert len(network.layers("Add")) == 3
    (softmax,) = network.layers("Softmax")
    assert network.graph.node[-1] == softmax
    assert network.graph.output[0].name == softmax.output[0]
    assert network.graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT
    assert all(node.name.startswith("/") for node in (*convolutions, softmax))


def test_attention_block_parts() -> None:
    network = reading("attention_block_int8")
    products = network.layers("MatMul")
    dynamic = [node.name for node in products if not network.is_constant(node.input[1])]
    assert dynamic == ["/block/attn/qk/MatMul", "/block/attn/av/MatMul"]
    assert len(products) == 8
    for node in products:
        assert all(network.quantization(tensor) for tensor in node.output)
    norm = ["ReduceMean", "Sub", "Pow", "ReduceMean", "Add", "Sqrt", "Div", "Mul", "Add"]
    for name in ("/block/norm1/", "/block/norm2/"):
        assert [node.op_type for node in network.compute_nodes() if node.name.startswith(name)] == norm
    # The first normalisation is quantized throughout, the second only where it leaves.
    assert network.quantization(network.output_of("/block/norm1/Div")) is not None
    assert network.quantization(network.output_of("/block/norm2/Div")) is None
    assert len(network.layers("Erf")) == len(network.layers("Softmax")) == 1
    assert network.zero_point(network.output_of("/block/attn/Softmax")) == -128


def test_qoperator_convnet_parts() -> None:
    network = reading("convnet_qoperator")
    assert Counter((node.domain, node.op_type) for node in network.graph.node) == {
        ("", "QuantizeLinear"): 3,
        ("", "DequantizeLinear"): 3,
        ("", "QLinearConv"): 4,
        ("", "MaxPool"): 1,
        ("", "Flatten"): 1,
        ("", "QLinearMatMul"): 1,
        ("com.microsoft", "QLinearAdd"): 1,
        ("com.microsoft", "QLinearGlobalAveragePool"): 1,
        ("com.microsoft", "QGemm"): 1,
        ("com.microsoft", "QLinearSigmoid"): 1,
        ("com.microsoft", "QLinearSoftmax"): 1,
    }


@pytest.fixture(scope="module")
def regenerated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two folders, each with all the models: the second is that of the repository where they are the same."""
    folders = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    for folder in folders:
        subprocess.run([sys.executable, FOLDER / "make_samples.py", folder], check=True, capture_output=True)
        if all((folder / f"{name}.onnx").read_bytes() == _committed(name) for name in NAMES):
            return folder, FOLDER
    return folders


def _committed(name: str) -> bytes:
    return (FOLDER / f"{name}.onnx").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_two_runs_write_the_same_bytes(name: str, regenerated: tuple[Path, Path]) -> None:
    first, second = ((folder / f"{name}.onnx").read_bytes() for folder in regenerated)
    assert first == second


@pytest.mark.parametrize("name", NAMES)
def test_committed_model_is_what_the_script_writes(name: str, regenerated: tuple[Path, Path]) -> None:
    committed = FOLDER / f"{name}.onnx"
    new = regenerated[0] / f"{name}.onnx"
    if committed.read_bytes() == new.read_bytes():
        return
    old_model, new_model = onnx.load(committed), onnx.load(new)
    if list(old_model.metadata_props) != list(new_model.metadata_props):
        pytest.skip("written with other versions of onnx, onnxruntime or numpy")
    # Another processor may sum in another order during calibration; nothing else may differ.
    assert list(old_model.graph.node) == list(new_model.graph.node)
    for old, fresh in zip(old_model.graph.initializer, new_model.graph.initializer, strict=True):
        assert (old.name, old.data_type, old.dims) == (fresh.name, fresh.data_type, fresh.dims)
        rounding_steps = 1 if old.data_type == TensorProto.INT32 else 0
        np.testing.assert_allclose(
            numpy_helper.to_array(fresh).astype(np.float64),
            numpy_helper.to_array(old).astype(np.float64),
            rtol=1e-5,
            atol=rounding_steps,
            err_msg=old.name,
        )
