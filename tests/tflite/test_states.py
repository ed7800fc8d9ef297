"""Operators that keep a state, call after call beside the reference interpreter: the state is an input and an output here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders.tflite.operators import RELU, Case
from builders.tflite.reference import distance, run

from npuscope import tflite
from npuscope.model.errors import ModelError
from npuscope.model.load import load
from npuscope.tflite.convert import DOMAIN, REASON_KEY
from npuscope.tflite.schema import parse

litert = pytest.importorskip("ai_edge_litert.interpreter")
TANH, INT8 = 4, 9
BATCH, FEATURES, UNITS = 2, 5, 3


def filtered(dtype: str, rank: int = 1, steps: int = 4, activation: int = RELU, bias: bool = True) -> Case:
    """An SVDF."""
    case = Case(dtype)
    random, filters = case.random, rank * UNITS
    source = case.entry("in", (BATCH, FEATURES))
    if dtype == "int8":
        weights = case.constant(
            "w", random.integers(-127, 128, (filters, FEATURES)).astype(np.int8), scale=0.01
        )
        times = random.integers(-1000, 1000, (filters, steps)).astype(np.int16)
        over = case.constant("t", times, scale=0.0005)
        added = case.constant("b", random.integers(-9000, 9000, UNITS).astype(np.int32), scale=0.0000005)
        state = case.tensor("state", (BATCH, filters * steps), "int16", 0.001)
    else:
        weights, over, added = (
            case.constant(name, random.uniform(-1, 1, shape).astype(np.float32))
            for name, shape in (("w", (filters, FEATURES)), ("t", (filters, steps)), ("b", (UNITS,)))
        )
        state = case.tensor("state", (BATCH, filters * steps), "float32")
    result = case.act("out", (BATCH, UNITS), 0.06, -4)
    case.graph.tensors[state].isVariable = True
    case.operator(
        "SVDF", [source, weights, over, added if bias else -1, state], [result], "SVDFOptions",
        rank=rank, fusedActivationFunction=activation, version=3 if dtype == "int8" else 1,
    )  # fmt: skip
    return case


def recurrent(kind: str, activation: int = TANH, time_first: bool = False, bound: bool = True) -> Case:
    """An RNN of one step or of five; `bound`: its state is a tensor of its own."""
    case = Case("float32")
    steps = (5, BATCH) if time_first else (BATCH, 5)
    lead = steps if kind != "RNN" else (BATCH,)
    inputs = [case.entry("in", (*lead, FEATURES))]
    for name, shape in (("w", (UNITS, FEATURES)), ("r", (UNITS, UNITS)), ("b", (UNITS,))):
        inputs.append(case.known(name, case.random.uniform(-1, 1, shape)))
    state = case.tensor("state", (BATCH, UNITS), "float32") if bound else case.entry("state", (BATCH, UNITS))
    result = case.act("out", (*lead, UNITS))
    case.graph.tensors[state].isVariable = True
    options = {"fusedActivationFunction": activation}
    if kind != "RNN":
        options["timeMajor"] = time_first
    named = "RNNOptions" if kind == "RNN" else "SequenceRNNOptions"
    case.operator(kind, [*inputs, state], [result], named, **options)
    return case


def calls(data: bytes, seed: int = 0) -> list[tuple[Any, Any]]:
    """Six calls: what the model answers, and the interpreter."""
    graph, model = parse(data), tflite.read(data)
    assert not any(node.domain == DOMAIN for node in model.graph.node)
    interpreter = litert.Interpreter(
        model_content=data, experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    random, source = np.random.default_rng(seed), graph.tensors[graph.inputs[0]]
    kept = model.graph.input[1]
    dims = [dim.dim_value for dim in kept.type.tensor_type.shape.dim]
    state: Any = np.zeros(dims, np.int16 if source.dtype == "int8" else np.float32)
    answers = []
    for _ in range(6):
        fed: Any = random.uniform(-1, 1, source.shape).astype(np.float32)
        if source.dtype == "int8":
            fed = random.integers(-128, 128, source.shape).astype(np.int8)
        interpreter.set_tensor(graph.inputs[0], fed)
        interpreter.invoke()
        made, state = run(model, {source.name: fed, kept.name: state})
        answers.append((made, interpreter.get_tensor(graph.outputs[0])))
    return answers


FILES = {
    "filters": filtered("float32"),
    "filters of two each": filtered("float32", 2, 7),
    "filters without a bias": filtered("float32", 1, 3, 0, False),
    "filters of one step": filtered("float32", 1, 1),
    "filters in int8": filtered("int8"),
    "filters of two each in int8": filtered("int8", 2, 6),
    "one step": recurrent("RNN"),
    "one step, relu": recurrent("RNN", RELU),
    "steps": recurrent("UNIDIRECTIONAL_SEQUENCE_RNN"),
    "steps first, relu": recurrent("UNIDIRECTIONAL_SEQUENCE_RNN", RELU, True),
}


def data_of(case: Case) -> bytes:
    return case.bytes(case.entries, [len(case.graph.tensors) - 1])


@pytest.mark.parametrize("name", FILES)
def test_a_state_goes_from_call_to_call(name: str) -> None:
    for made, wanted in calls(data_of(FILES[name])):
        error = distance(name, made, wanted, wanted.dtype == np.int8)
        assert error.steps <= (1 if wanted.dtype == np.int8 else 1e-5), error


def test_a_state_is_said_to_be_the_application_s(tmp_path: Any) -> None:
    (tmp_path / "m.tflite").write_bytes(data_of(FILES["filters"]))
    source = load(tmp_path / "m.tflite")
    assert (source.graph.inputs, source.graph.outputs) == (("in", "state"), ("out", "state_next"))
    assert any("keeps 1 variable between calls" in note for note in source.notes)


def reshaped(case: Case, name: str, shape: tuple[int, ...], dtype: int | None = None) -> Case:
    """With a tensor of another shape, or of another type by its number in the format."""
    (tensor,) = (one for one in case.graph.tensors if one.name == name)
    tensor.shape = list(shape)
    tensor.type = tensor.type if dtype is None else dtype
    return case


REFUSED = {
    "weights of SVDF_0 that do not fit its 3 units": reshaped(filtered("float32"), "w", (5, UNITS)),
    "a state of (2, 11) for SVDF_0": reshaped(filtered("float32"), "state", (BATCH, 11)),
}


@pytest.mark.parametrize("words", REFUSED)
def test_a_filter_that_contradicts_itself_is_refused(words: str) -> None:
    with pytest.raises(ModelError) as error:
        tflite.read(data_of(REFUSED[words]))
    assert words in str(error.value)


KEPT = {
    "computes on other than floats": reshaped(recurrent("RNN"), "in", (BATCH, FEATURES), INT8),
    "a state that is no variable of its own": recurrent("RNN", bound=False),
    "another activation than TANH and RELU": recurrent("UNIDIRECTIONAL_SEQUENCE_RNN", 3),
}


@pytest.mark.parametrize("words", KEPT)
def test_a_form_without_one_in_onnx_says_why(words: str) -> None:
    nodes = tflite.read(data_of(KEPT[words])).graph.node
    (kept,) = [node for node in nodes if node.domain == DOMAIN]
    assert any(entry.key == REASON_KEY and words in entry.value for entry in kept.metadata_props)
