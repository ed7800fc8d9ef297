"""What holds of every kind of edit: it has a property test, and undo of any sequence brings back the same bytes."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import models
import pytest
from edit_checks import opened, written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layer_chains import ChainSpec, chain, chains
from weighted_layers import Spec, model, saved, specs

from npuscope.edits.edit import Edit, Exactness
from npuscope.edits.registry import KINDS
from npuscope.model.convolution import convolution
from npuscope.model.load import Source, load
from npuscope.session import Session

RUNS = frozenset({"verify", "truth", "Runner", "outputs_of"})
"""Calls by which a test compares numbers in onnxruntime."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("every")


@cache
def properties() -> dict[str, str]:
    """Name of a property test -> its source, helpers of its module that it calls included."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        functions = {
            node.name: node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)
        }
        for name, function in functions.items():
            if any("given(" in ast.unparse(decorator) for decorator in function.decorator_list):
                texts = {name: ast.unparse(function)}
                for other, helper in functions.items():
                    if not other.startswith("test_") and f"{other}(" in texts[name]:
                        texts[other] = ast.unparse(helper)
                found[f"{path.name}::{name}"] = "\n".join(texts.values())
    return found


def instance(cls: type[Any]) -> Edit:
    """Some edit of a kind."""
    samples = {str(str): "L", str(int): 3, "tuple[int, ...]": (1, 2)}
    hints = get_type_hints(cls)
    wanted = [field.name for field in dataclasses.fields(cls) if field.default is dataclasses.MISSING]
    made: Edit = cls(**{name: samples[str(hints[name])] for name in wanted})
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_every_edit_has_a_property_test_in_onnxruntime(kind: str) -> None:
    cls = KINDS[kind]
    own = {
        name: text
        for name, text in properties().items()
        if f"{cls.__name__}(" in text and any(f"{run}(" in text for run in RUNS)
    }
    assert own, f"no test with @given applies {cls.__name__} and runs the model"
    if instance(cls).exactness is Exactness.BIT_EXACT:
        exact = ("bit_exact", "array_equal", "== ")
        assert any(word in text for text in own.values() for word in exact), (
            f"{list(own)} ask for no exactness"
        )
    assert inspect.getdoc(cls)


def sources(folder: Path) -> st.SearchStrategy[Source]:
    """Models small enough to be edited at random: one layer, a chain, and samples."""
    samples = ("convnet_qoperator.onnx", "mobilenet_mini_int8.onnx", "attention_block_int8.onnx")
    return (
        specs().map(lambda spec: saved(model(spec), folder, "one.onnx"))
        | chains().map(lambda spec: saved(chain(spec), folder, "chain.onnx"))
        | st.sampled_from(samples).map(lambda name: load(models.SAMPLES / name))
    )


@st.composite
def edits(draw: st.DrawFn, session: Session) -> Edit:
    """An edit of any kind, of a layer of the session, with sizes that may fit it."""
    cls = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    hints = get_type_hints(cls)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        if field.name == "layer":
            name = draw(st.sampled_from([layer.name for layer in session.layers.layers]))
            values["layer"] = name
        elif field.default is not dataclasses.MISSING and draw(st.booleans()):
            continue
        elif hints[field.name] is int:
            values[field.name] = draw(st.sampled_from((-128, 0, *_numbers(session, values))))
        elif hints[field.name] is bool:
            values[field.name] = draw(st.booleans())
        elif str(hints[field.name]) == "tuple[int, ...]":
            count = draw(st.sampled_from(_numbers(session, values)))
            first = draw(st.integers(1, max(count - 1, 1)))
            values[field.name] = (first, max(count - first, 1))
    made: Edit = cls(**values)
    return made


def _numbers(session: Session, values: dict[str, Any]) -> list[int]:
    """Sizes of the layer, and some above."""
    layer = session.layers.by_name.get(values.get("layer", ""))
    geometry = convolution(layer) if layer is not None else None
    if geometry is None:
        return [2, 8]
    sizes = (geometry.in_channels, geometry.out_channels, geometry.in_channels // geometry.group)
    return [*sizes, *geometry.output_size, geometry.in_channels + 3, geometry.out_channels + 3]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_undo_of_any_sequence_brings_back_the_same_bytes(data: st.DataObject, folder: Path) -> None:
    session = opened(data.draw(sources(folder)))
    states = [written(session)]
    for _ in range(data.draw(st.integers(4, 24))):
        found = session.edit(data.draw(edits(session)))
        if isinstance(found, Session):
            session = found
            states.append(written(session))
    assert len(session.done) == len(states) - 1
    for expected in reversed(states):
        assert written(session) == expected
        session = session.undo()
    for expected in states:
        assert written(session) == expected
        session = session.redo()


def kinds_that_apply(session: Session) -> Iterator[str]:
    """Kinds some edit of which can be made, with nothing but a layer's name given."""
    for kind, cls in KINDS.items():
        given_names = [f.name for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING]
        if given_names in ([], ["layer"]):
            for layer in session.layers.layers:
                if isinstance(session.edit(cls(layer.name) if given_names else cls()), Session):
                    yield kind
                    break


def test_random_edits_are_made_at_all(folder: Path) -> None:
    """The sequences above are no sequences of refusals."""
    made = set(kinds_that_apply(opened(load(models.SAMPLES / "mobilenet_mini_int8.onnx"))))
    made |= set(kinds_that_apply(opened(saved(model(Spec(kind="gemm")), folder))))
    made |= set(kinds_that_apply(opened(load(models.SAMPLES / "convnet_qoperator.onnx"))))
    made |= set(kinds_that_apply(opened(saved(chain(ChainSpec(between=("float Mul", "PRelu"))), folder))))
    assert {
        "matmul-to-conv",
        "conv-to-gemm",
        "fold-stride",
        "pool-to-conv",
        "quantize",
        "recentre",
        "to-qdq",
    } <= made
