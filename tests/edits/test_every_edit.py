"""What holds of every kind of edit: it has a property test, and undo of any sequence brings back the same bytes."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from builders import models
from builders.edit_checks import checked, edited, opened, written
from builders.layer_chains import ChainSpec, chain, chains
from builders.longer import suite_or_long
from builders.weighted_layers import Spec, model, saved, specs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npuscope.edits.edit import Edit, Exactness, Refusal
from npuscope.edits.kinds.int8_borders import Int8Borders
from npuscope.edits.kinds.split_rows import SplitRows
from npuscope.edits.registry import KINDS
from npuscope.model.convolution import convolution
from npuscope.model.load import Source, load
from npuscope.numbers.verify_models import verify
from npuscope.session import Session

RUNS = frozenset({"verify", "truth", "Runner", "outputs_of"})
"""Calls by which a test compares numbers in onnxruntime."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("every")


@cache
def properties() -> dict[str, str]:
    """Name of a property test -> its source, helpers of its module that it calls included."""
    tests = {}
    for path in sorted(Path(__file__).parent.rglob("test_*.py")):
        functions = {
            node.name: node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)
        }
        for name, function in functions.items():
            if any("given(" in ast.unparse(decorator) for decorator in function.decorator_list):
                texts = {name: ast.unparse(function)}
                for other, helper in functions.items():
                    if not other.startswith("test_") and f"{other}(" in texts[name]:
                        texts[other] = ast.unparse(helper)
                tests[f"{path.name}::{name}"] = "\n".join(texts.values())
    return tests


def instance(cls: type[Any]) -> Edit:
    """Some edit of a kind."""
    samples = {str(str): "L", str(int): 3, str(float): 0.5, "tuple[int, ...]": (1, 2)}
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
    """An edit that can be made of a layer of the session, with sizes that fit it; any where there is none."""
    layer = draw(st.sampled_from(session.layers.layers))
    geometry = convolution(layer)
    ich, och, rows, depth = 8, 8, 4, 8
    if geometry is not None:
        ich, och, depth = geometry.in_channels, geometry.out_channels, geometry.in_channels // geometry.group
        rows = geometry.output_size[0 if len(layer.inputs[0].dims or ()) == 4 else 1]
    cut = draw(st.sampled_from((1, 2, 3)))
    made: list[Edit] = []
    for kind, cls in KINDS.items():
        if kind in ("clip-range", "correct-bias", "equalize"):
            continue  # they take figures of a calibration, and have property tests of their own
        names = [field.name for field in dataclasses.fields(cls)]
        if "sizes" in names and kind != "fix-dimensions":
            total = {"split-in": depth, "split-rows": rows}.get(kind, och)
            made.append(cls(layer.name, (cut, max(total - cut, 1))))
        elif "channels" in names:
            made.append(cls(layer.name, (ich if kind == "pad-in" else och) + cut))
        elif "zero_point" in names:
            made.append(cls(layer.name, draw(st.sampled_from((0, -128)))))
        else:
            made.append(
                cls(layer.name) if "layer" in names and draw(st.booleans()) else bare(cls, layer.name)
            )
    fitting = [edit for edit in made if not isinstance(edit.apply(session.graph, session.layers), Refusal)]
    # Those of the whole model fit everywhere: one of them in a sequence will do.
    own = [edit for edit in fitting if edit.layer] or fitting or made
    drawn: Edit = draw(st.sampled_from(own if draw(st.integers(0, 9)) else made))
    return drawn


def bare(cls: type[Any], layer: str) -> Edit:
    """An edit with nothing given that has a default."""
    wanted = [field.name for field in dataclasses.fields(cls) if field.default is dataclasses.MISSING]
    made: Edit = cls(*[layer for _ in wanted])
    return made


@settings(max_examples=suite_or_long(10, 625), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_undo_of_any_sequence_brings_back_the_same_bytes(data: st.DataObject, folder: Path) -> None:
    session = opened(data.draw(sources(folder)))
    states = [written(session)]
    for _ in range(data.draw(st.integers(2, 12))):
        outcome = session.edit(data.draw(edits(session)))
        if isinstance(outcome, Session):
            session = outcome
            states.append(written(session))
    assert len(session.done) == len(states) - 1
    for expected in reversed(states):
        assert written(session) == expected
        session = session.undo()
    for expected in states:
        assert written(session) == expected
        session = session.redo()


@settings(max_examples=suite_or_long(8, 375), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_bit_exact_edits_on_top_of_each_other_are_bit_exact(data: st.DataObject, folder: Path) -> None:
    source = data.draw(sources(folder))
    session = opened(source)
    for _ in range(data.draw(st.integers(2, 10))):
        edit = data.draw(edits(session))
        outcome = session.edit(edit) if edit.exactness is Exactness.BIT_EXACT else session
        session = outcome if isinstance(outcome, Session) else session
    checked(session)
    assert verify(source, session, samples=1).bit_exact, session.done


def test_stripes_of_an_integer_input_are_compared(folder: Path) -> None:
    """Behind the stripes of a QLinear operator an input has no DQ: what the stripes mean tells its scale."""
    source = load(models.SAMPLES / "convnet_qoperator.onnx")
    session = opened(source)
    for edit in (SplitRows("/stem/Conv_quant", (3, 29)), Int8Borders()):
        session = edited(session, edit)
    assert verify(source, session, samples=1).bit_exact


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
    """The sequences above are not sequences of refusals."""
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
