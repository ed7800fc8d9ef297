"""What the sample models are built with: a network under construction, its quantization and its final form."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, StaticQuantConfig, quantize
from onnxruntime.quantization.shape_inference import quant_pre_process

Floats = NDArray[np.float32]


OPSET = 13
"""The opset ST recommends for quantized models; `split` and `axes` are input tensors there."""


IR_VERSION = 8
"""Low enough for ONNX 1.15, with which ST Edge AI Core 2.1 reads models."""


SCOPE_KEY = "namespace"
"""Key of a node's scope in its metadata_props."""


VERSIONS = {
    "numpy_version": np.__version__,
    "onnx_version": onnx.__version__,
    "onnxruntime_version": onnxruntime.__version__,
}
"""Recorded in every file, because other versions may round or name things differently."""


class Network:
    """A float graph under construction; a tensor is named after the node that writes it."""

    def __init__(self, name: str, suffix: str, seed: int) -> None:
        self.name = name
        self.suffix = suffix
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def add(
        self,
        op: str,
        name: str,
        *inputs: str,
        scope: str = "",
        outputs: Sequence[str] = (),
        **attributes: Any,
    ) -> str:
        """Append a node and return the name of its first output."""
        written = list(outputs) or [f"{name}{self.suffix}0"]
        node = helper.make_node(op, inputs, written, name=name, **attributes)
        if scope:
            node.metadata_props.add(key=SCOPE_KEY, value=scope)
        self.nodes.append(node)
        return written[0]

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add an initializer and return its name."""
        self.initializers.append(numpy_helper.from_array(values, name))
        return name

    def weight(self, name: str, shape: Sequence[int], *, gain: float = 1.0, transposed: bool = False) -> str:
        """Add Xavier weights [outputs, inputs, ...] whose rows differ in scale, as trained ones do."""
        outputs, inputs = shape[0], int(np.prod(shape[1:]))
        limit = gain * np.sqrt(6 / (outputs + inputs))
        values = self.rng.uniform(-limit, limit, (outputs, inputs))
        values *= np.exp(0.2 * self.rng.standard_normal((outputs, 1)))
        values = values.T if transposed else values.reshape(shape)
        return self.constant(name, np.ascontiguousarray(values, np.float32))

    def bias(self, name: str, size: int) -> str:
        """Add a small bias."""
        return self.constant(name, self.rng.uniform(-0.1, 0.1, size).astype(np.float32))

    def model(
        self, inputs: Mapping[str, Sequence[int]], outputs: Mapping[str, Sequence[int]]
    ) -> onnx.ModelProto:
        """The float model with these graph inputs and outputs."""
        graph = helper.make_graph(
            self.nodes,
            self.name,
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                for name, shape in outputs.items()
            ],
            self.initializers,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


class SampleReader:
    """Hands the calibration samples to onnxruntime, one by one."""

    def __init__(self, samples: Sequence[Mapping[str, Floats]]) -> None:
        self._samples: Iterator[Mapping[str, Floats]] = iter(samples)

    def get_next(self) -> Mapping[str, Floats] | None:
        """The next sample, or None after the last."""
        return next(self._samples, None)


def quantized(
    model: onnx.ModelProto,
    samples: Sequence[Mapping[str, Floats]],
    quant_format: QuantFormat = QuantFormat.QDQ,
    op_types: Sequence[str] = (),
    exclude: Sequence[str] = (),
    optimize: bool = True,
) -> onnx.ModelProto:
    """Quantize the way the forum case did: int8, MinMax, per channel, no input check.

    Without `optimize`, onnxruntime leaves MatMul and Add as they are rather than write a Gemm.
    """
    config = StaticQuantConfig(
        SampleReader(samples),
        calibrate_method=CalibrationMethod.MinMax,
        quant_format=quant_format,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=list(op_types),
        nodes_to_exclude=list(exclude),
        per_channel=True,
        extra_options={"ForceQuantizeNoInputCheck": True},
    )
    with tempfile.TemporaryDirectory(prefix="npuscope-samples-") as folder:
        source, prepared, written = (
            Path(folder, name) for name in ("float.onnx", "prepared.onnx", "int8.onnx")
        )
        onnx.save(model, source)
        quant_pre_process(source, prepared, skip_optimization=not optimize, skip_symbolic_shape=True)
        quantize(prepared, written, config)
        return onnx.load(written)


def with_int8_borders(model: onnx.ModelProto) -> onnx.ModelProto:
    """Let int8 tensors cross the graph's borders: drop the QuantizeLinear at each input and the
    DequantizeLinear at each output, and keep the names of the inputs and outputs."""
    graph = model.graph
    renamed: dict[str, str] = {}
    dropped: list[str] = []
    for value in graph.input:
        (quantize_node,) = (node for node in graph.node if value.name in node.input)
        renamed[quantize_node.output[0]] = value.name
        dropped.append(quantize_node.name)
        value.type.tensor_type.elem_type = TensorProto.INT8
    for value in graph.output:
        (dequantize,) = (node for node in graph.node if value.name in node.output)
        (quantize_node,) = (node for node in graph.node if dequantize.input[0] in node.output)
        quantize_node.name = value.name.removesuffix("_out_0")
        renamed[dequantize.input[0]] = value.name
        renamed[value.name] = f"{value.name}_DequantizeLinear_Output"
        if not any(value.name in node.input for node in graph.node):
            dropped.append(dequantize.name)
        value.type.tensor_type.elem_type = TensorProto.INT8
    kept = [node for node in graph.node if node.name not in dropped]
    for node in kept:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    del graph.node[:]
    graph.node.extend(kept)
    return model


def with_own_constants(model: onnx.ModelProto, op: str) -> onnx.ModelProto:
    """Undo onnxruntime's merging of equal constants: the second input of each `op` becomes its own."""
    values = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == op:
            own = onnx.TensorProto()
            own.CopyFrom(values[node.input[1]])
            own.name = node.input[1] = f"{node.name}_{op.lower()}"
            model.graph.initializer.append(own)
    return model


def execution_order(nodes: Sequence[onnx.NodeProto], plan: Sequence[str]) -> list[onnx.NodeProto]:
    """Topological order: the nodes named in `plan` in that order, each just after what it needs."""
    writer = {name: node for node in nodes for name in node.output}
    by_name = {node.name: node for node in nodes}
    done: dict[str, onnx.NodeProto] = {}

    def visit(node: onnx.NodeProto) -> None:
        for name in node.input:
            if name in writer and writer[name].name not in done:
                visit(writer[name])
        done[node.name] = node

    for node in [by_name[name] for name in plan if name in by_name] + list(nodes):
        if node.name not in done:
            visit(node)
    return list(done.values())


def tidied(model: onnx.ModelProto, float_model: onnx.ModelProto, description: str) -> onnx.ModelProto:
    """The same graph in a form that does not depend on the run: order, scopes, shapes, provenance."""
    graph = onnx.GraphProto()
    graph.CopyFrom(model.graph)
    nodes = execution_order(graph.node, [node.name for node in float_model.graph.node])
    borders = {value.name for value in (*graph.input, *graph.output)}
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    known = {value.name: value for value in graph.value_info}

    scopes = {node.name: prop.value for node in float_model.graph.node for prop in node.metadata_props}
    writer = {name: node for node in nodes for name in node.output}
    reader = {name: node for node in reversed(nodes) for name in node.input}
    for node in nodes:
        lead = node
        while lead.op_type == "DequantizeLinear" and lead.output[0] in reader:
            lead = reader[lead.output[0]]
        if lead.op_type == "QuantizeLinear":
            lead = writer.get(lead.input[0], lead)
        del node.metadata_props[:]
        if lead.name in scopes:
            node.metadata_props.add(key=SCOPE_KEY, value=scopes[lead.name])

    used = dict.fromkeys(name for node in nodes for name in node.input)
    written = dict.fromkeys(name for node in nodes for name in node.output)
    cleaned = helper.make_model(
        helper.make_graph(
            nodes,
            float_model.graph.name,
            list(graph.input),
            list(graph.output),
            [tensors[name] for name in used if name in tensors],
            value_info=[known[name] for name in written if name in known and name not in borders],
        ),
        opset_imports=[
            entry for entry in model.opset_import if entry.domain in {node.domain for node in nodes}
        ],
        ir_version=IR_VERSION,
        producer_name="npuscope samples",
        doc_string=description,
    )
    cleaned = onnx.shape_inference.infer_shapes(cleaned, check_type=True, strict_mode=True)
    helper.set_model_props(cleaned, dict(sorted(VERSIONS.items())))
    onnx.checker.check_model(cleaned, full_check=True)
    return cleaned
