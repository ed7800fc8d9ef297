"""An edit of a model that differs in one thing from its example: it is refused in a sentence, or still does what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from builders.edit_checks import example, opened
from onnx import AttributeProto, ModelProto, TensorProto, helper, numpy_helper

from npuscope.edits.edit import Edit, Exactness, Refusal
from npuscope.edits.registry import KINDS
from npuscope.model.errors import ModelError
from npuscope.model.load import Source, load
from npuscope.model.serialize import to_model
from npuscope.numbers.verify_models import verify
from npuscope.session import Session

Change = Callable[[ModelProto], None]


def computed(index: int) -> Change:
    """A constant is a value that the model reads."""

    def change(model: ModelProto) -> None:
        constant = model.graph.initializer[index]
        model.graph.input.append(
            helper.make_tensor_value_info(constant.name, constant.data_type, constant.dims)
        )
        del model.graph.initializer[index]

    return change


def doubled(index: int) -> Change:
    """A constant of one number has two, alike."""

    def change(model: ModelProto) -> None:
        constant = model.graph.initializer[index]
        values = np.repeat(numpy_helper.to_array(constant).reshape(-1), 2)
        constant.CopyFrom(numpy_helper.from_array(values, constant.name))

    return change


def filled(index: int, value: float) -> Change:
    """A constant of floats holds nothing else."""

    def change(model: ModelProto) -> None:
        constant = model.graph.initializer[index]
        values = np.full_like(numpy_helper.to_array(constant), value)
        constant.CopyFrom(numpy_helper.from_array(values, constant.name))

    return change


def seen(node: int) -> Change:
    """What an operator writes is an output of the model too."""

    def change(model: ModelProto) -> None:
        name = model.graph.node[node].output[0]
        model.graph.output.append(helper.make_empty_tensor_value_info(name))

    return change


def read_twice(node: int) -> Change:
    """What an operator writes is read by another one too."""

    def change(model: ModelProto) -> None:
        name = model.graph.node[node].output[0]
        model.graph.node.append(helper.make_node("Identity", [name], ["also"], name="another"))
        model.graph.output.append(helper.make_empty_tensor_value_info("also"))

    return change


def without(node: int, attribute: str) -> Change:
    """An attribute is at its default."""

    def change(model: ModelProto) -> None:
        attributes = model.graph.node[node].attribute
        kept = [one for one in attributes if one.name != attribute]
        del attributes[:]
        attributes.extend(kept)

    return change


def stepped(node: int, attribute: str) -> Change:
    """A number of an attribute, the last one of several, is larger by one."""

    def change(model: ModelProto) -> None:
        for one in model.graph.node[node].attribute:
            if one.name == attribute and one.type == AttributeProto.INTS:
                one.ints[-1] += 1
            elif one.name == attribute:
                one.i += 1
                one.f += 1

    return change


def opset(version: int) -> Change:
    def change(model: ModelProto) -> None:
        model.opset_import[0].version = version

    return change


def foreign(model: ModelProto) -> None:
    """The operator is somebody's own."""
    model.opset_import.append(helper.make_opsetid("org.example", 1))
    for node in model.graph.node:
        if node.name == "op":
            node.domain = "org.example"


def free(model: ModelProto) -> None:
    """No size of an input or output is known."""
    for value in (*model.graph.input, *model.graph.output):
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            dim.dim_param = f"{value.name}{axis}"


def unranked(model: ModelProto) -> None:
    """Nothing is known of the shapes."""
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.ClearField("shape")


def stored_as(dtype: str, number: int, shift: int) -> Change:
    """Other integers for the same numbers."""

    def change(model: ModelProto) -> None:
        model.opset_import[0].version = max(model.opset_import[0].version, 21 if dtype == "int16" else 0)
        for constant in model.graph.initializer:
            if constant.data_type == TensorProto.INT8:
                values = numpy_helper.to_array(constant).astype(np.int32) + shift
                constant.CopyFrom(numpy_helper.from_array(values.astype(dtype), constant.name))
        for value in (*model.graph.input, *model.graph.output):
            if value.type.tensor_type.elem_type == TensorProto.INT8:
                value.type.tensor_type.elem_type = number

    return change


def changes(model: ModelProto) -> Iterator[tuple[str, Change]]:
    """What may be otherwise, and in words."""
    for index, constant in enumerate(model.graph.initializer):
        yield f"{constant.name} computed", computed(index)
        if constant.dims in ([], [1]):
            yield f"two of {constant.name}", doubled(index)
        if constant.data_type == TensorProto.FLOAT:
            for value in (0.0, -1.0, np.inf):
                yield f"{constant.name} filled with {value}", filled(index, value)
    for index, node in enumerate(model.graph.node):
        yield f"{node.output[0]} seen", seen(index)
        yield f"{node.output[0]} read twice", read_twice(index)
        for attribute in node.attribute:
            yield f"no {attribute.name}", without(index, attribute.name)
            if attribute.type in (AttributeProto.INT, AttributeProto.INTS, AttributeProto.FLOAT):
                yield f"{attribute.name} stepped", stepped(index, attribute.name)
    yield from ((f"opset {version}", opset(version)) for version in (8, 10, 12, 18))
    yield from (("foreign", foreign), ("free sizes", free), ("no ranks", unranked))
    yield "uint8", stored_as("uint8", TensorProto.UINT8, 128)
    yield "int16", stored_as("int16", TensorProto.INT16, 0)


def valid(model: ModelProto) -> bool:
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return False
    return True


def same_numbers(source: Source, after: Session) -> bool:
    """The model and the edited one compute the same; True where no runtime takes the model itself."""
    try:
        verify(source, opened(source), samples=1)
    except ModelError:
        return True
    return verify(source, after, samples=1).bit_exact


@pytest.mark.parametrize("kind", KINDS)
def test_one_thing_differs(kind: str, tmp_path: Path) -> None:
    source, edit = example(kind, tmp_path)
    original = onnx.load(tmp_path / "model.onnx")
    for words, change in changes(original):
        model = ModelProto()
        model.CopyFrom(original)
        change(model)
        onnx.save(model, tmp_path / "changed.onnx")
        try:
            source = load(tmp_path / "changed.onnx")
        except ModelError:
            continue
        session = opened(source)
        outcome = session.edit(edit)
        if isinstance(outcome, Refusal):
            assert str(outcome) and "\n" not in str(outcome), words
            continue
        if valid(model):
            assert valid(to_model(source, outcome.graph)), words
            # What a runtime makes of infinity or of a scale of 0 in integers is its own affair.
            if edit.exactness is Exactness.BIT_EXACT and "filled" not in words:
                assert same_numbers(source, outcome), words


@pytest.mark.parametrize("kind", [kind for kind, cls in KINDS.items() if "layer" in cls.__slots__])
def test_another_layer_than_the_one_it_is_for(kind: str, tmp_path: Path) -> None:
    source, edit = example(kind, tmp_path)
    if not edit.layer:
        return
    session = opened(source)
    unknown: Edit = replace(edit, layer="no layer")  # type: ignore[call-arg]
    assert "the model has no layer 'no layer'" in str(session.edit(unknown))
