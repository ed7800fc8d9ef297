"""One model written otherwise: other names, another order of what has none, other forms of constants. The report is the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import onnx
import pytest
from builders.models import SAMPLES
from onnx import AttributeProto, ModelProto, helper, numpy_helper

from npuscope.cli.main import main

MODELS = ("convnet_qoperator", "attention_block_int8", "mobilenet_mini_int8")


def _renamed(model: ModelProto) -> None:
    """Tensors and nodes have other names, of which none sorts as before."""
    random, known = Random(5), {"": ""}

    def other(name: str) -> str:
        return known.setdefault(name, f"t{random.randrange(10**9)}_{len(known)}")

    for node in model.graph.node:
        node.name = f"n{random.randrange(10**9)}"
        node.input[:], node.output[:] = map(other, node.input), map(other, node.output)
    graph = model.graph
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = other(value.name)


def _unnamed(model: ModelProto) -> None:
    for node in model.graph.node:
        node.name = ""


def _shuffled(model: ModelProto) -> None:
    """Initializers and recorded types, which have no order."""
    for name in ("initializer", "value_info"):
        listed = list(getattr(model.graph, name))
        Random(3).shuffle(listed)
        model.graph.ClearField(name)
        getattr(model.graph, name).extend(listed)


def _constant_nodes(model: ModelProto) -> None:
    nodes = [
        helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in model.graph.initializer
    ]
    nodes += model.graph.node
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)


def _typed(model: ModelProto) -> None:
    """Constants are stored as numbers, not as bytes."""
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        tensor.CopyFrom(
            helper.make_tensor(tensor.name, tensor.data_type, values.shape, values.ravel().tolist())
        )


def _types_left_out(model: ModelProto) -> None:
    model.graph.ClearField("value_info")


def _types_written_out(model: ModelProto) -> None:
    model.CopyFrom(onnx.shape_inference.infer_shapes(model))


def _defaults_written_out(model: ModelProto) -> None:
    (opset,) = (entry.version for entry in model.opset_import if not entry.domain)
    for node in model.graph.node:
        if node.domain or not onnx.defs.has(node.op_type):
            continue
        stated = {attribute.name for attribute in node.attribute}
        for name, known in onnx.defs.get_schema(node.op_type, opset, "").attributes.items():
            if name not in stated and known.default_value.type != AttributeProto.UNDEFINED:
                node.attribute.add().CopyFrom(known.default_value)


def _axes_from_the_end(model: ModelProto) -> None:
    ranks = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        for attribute in node.attribute:
            if (
                node.op_type.endswith("quantizeLinear")
                and attribute.name == "axis"
                and node.input[0] in ranks
            ):
                attribute.i -= ranks[node.input[0]]


def _said(model: ModelProto) -> None:
    """Texts that mean nothing, and a constant that nobody reads."""
    model.doc_string = model.producer_name = model.graph.name = "said"
    for node in model.graph.node:
        node.doc_string = "said"
    model.metadata_props.add(key="a", value="b")
    model.graph.initializer.add().CopyFrom(helper.make_tensor("read by nobody", 1, [3], [1.0, 2.0, 3.0]))


def _outside(model: ModelProto) -> None:
    """Weights lie in a folder below."""
    for tensor in model.graph.initializer:
        if tensor.HasField("raw_data"):
            onnx.external_data_helper.set_external_data(tensor, "in/a folder/w.bin")


FORMS: dict[str, Callable[[ModelProto], None]] = {
    form.__name__.strip("_"): form
    for form in (
        *(_renamed, _unnamed, _shuffled, _constant_nodes, _typed, _types_left_out, _types_written_out),
        *(_defaults_written_out, _axes_from_the_end, _said, _outside),
    )
}


def _report(model: ModelProto, folder: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Everything but names, and what is counted of the file itself."""
    (folder / "in" / "a folder").mkdir(parents=True, exist_ok=True)
    (folder / "in" / "a folder" / "w.bin").unlink(missing_ok=True)
    onnx.save(model, str(folder / "m.onnx"))
    assert main(["check", str(folder / "m.onnx"), "--json", "--gains", "none"]) == 0
    data = json.loads(capsys.readouterr().out)
    kept = ("op", "placement", "quant", "shape", "epoch", "ms", "epochs")
    layers = [
        {
            **{name: layer[name] for name in kept},
            "cost": layer["cost"] and {**layer["cost"], "beside": bool(layer["cost"]["beside"])},
            "codes": [finding["code"] for finding in layer["findings"]],
        }
        for layer in data["layers"]
    ]
    return layers, data["summary"]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_written_otherwise_is_judged_alike(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = (SAMPLES / f"{name}.onnx").read_bytes()
    plain = _report(ModelProto.FromString(content), tmp_path, capsys)
    for form, change in FORMS.items():
        model = ModelProto.FromString(content)
        change(model)
        assert _report(model, tmp_path, capsys) == plain, form
