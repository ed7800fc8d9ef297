"""Two models, layer by layer: what npuscope's own edits changed is found again, under other names too."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

import onnx
import pytest
from builders.models import DENOISER, SAMPLES, from_text
from builders.networks.spectrum_masks import mask
from onnx import numpy_helper

import npuscope
from npuscope.edits.apply_all import apply_all
from npuscope.edits.kinds.pad_channels import PadChannels, PadOutputs
from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.reports.change_report import layer_changes
from npuscope.services.diff import Change, Difference, diff, difference
from npuscope.session import Session
from npuscope.snapshot import analyse

MODELS = sorted(SAMPLES.glob("*.onnx"))


def opened(path: Path, toolchain: str = "2.2") -> Session:
    return Session.open(load(path), target(toolchain))


def names(changes: Difference) -> set[tuple[str, str]]:
    """(before, after) of what changed in more than its name."""
    return {
        (pair.before.name if pair.before else "", pair.after.name if pair.after else "")
        for pair in changes.touched
    }


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
def test_the_export_of_a_plan_differs_by_its_recipe(tmp_path: Path, path: Path) -> None:
    # Of the block of attention a plan that other tests look for, too.
    toolchain, loss = ("4.0", "needed") if path.stem == "attention_block_int8" else ("2.1", "any")
    if path.stem == "denoiser_lstm_float":  # there is nothing to do for one that is small, either
        path = tmp_path / "float.onnx"
        onnx.save(mask(), path)
    session = opened(path, toolchain)
    plan = npuscope.plan(session, loss)
    made = npuscope.apply(session, plan)
    npuscope.export(made, tmp_path / "made.onnx")
    changes = diff(session, opened(tmp_path / "made.onnx", toolchain))
    assert changes.related
    assert changes.recipe == tuple(made.done)
    # The file says what the session knows: the same layers, and none besides.
    before, after = analyse(session), analyse(made)
    known = difference(before, after)
    assert names(changes) == names(known)
    expected = {
        (change.before.name if change.before else "", change.after.name if change.after else "")
        for change in layer_changes(before, after)
        if change.word != "same"
    }
    assert expected <= names(changes)
    assert changes.count(Change.RENAMED) == 0
    assert (changes.before.summary, changes.after.summary) == (before.summary, after.summary)


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
def test_a_model_does_not_differ_from_itself(path: Path) -> None:
    changes = diff(opened(path), opened(path))
    assert all(not pair.changes for pair in changes.pairs)
    assert (changes.likeness, changes.regressions) == (1.0, ())


def renamed(path: Path, place: Path, rng: random.Random) -> Path:
    """The model with every node and inner tensor under a new name, as another exporter writes it."""
    model = onnx.load(path)
    graph = model.graph
    kept = {value.name for value in (*graph.input, *graph.output)} | {""}
    numbers = rng.sample(range(100_000), 100_000)
    new: dict[str, str] = {}

    def name(old: str) -> str:
        return old if old in kept else new.setdefault(old, f"t{numbers.pop()}")

    for node in graph.node:
        node.name = f"n{numbers.pop()}"
        node.input[:] = [name(tensor) for tensor in node.input]
        node.output[:] = [name(tensor) for tensor in node.output]
    for tensor in graph.initializer:
        tensor.name = name(tensor.name)
    del graph.value_info[:]
    onnx.save(model, place)
    return place


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
def test_renamed_layers_still_pair(tmp_path: Path, path: Path) -> None:
    before = opened(path)
    after = opened(renamed(path, tmp_path / "renamed.onnx", random.Random(5)))
    changes = diff(before, after)
    assert changes.touched == ()
    assert changes.count(Change.RENAMED) == len(before.layers.layers)
    order = [pair.before.name if pair.before else "" for pair in changes.pairs]
    assert order == [layer.name for layer in before.layers.layers]


def padded(session: Session) -> Session:
    """The denoiser with its layers of 257 channels on the NPU."""
    edits = [PadChannels(name, 258) for name in ("Gemm_28", "Conv2D_79", "Conv2D_23")]
    made = apply_all(session, [*edits, PadOutputs("Conv2D_79", 264)])
    assert isinstance(made, Session)
    return made


def test_a_renamed_export_still_shows_its_edits(tmp_path: Path) -> None:
    session = opened(DENOISER)
    npuscope.export(padded(session), tmp_path / "made.onnx")
    plain = diff(session, opened(tmp_path / "made.onnx"))
    changes = diff(
        session, opened(renamed(tmp_path / "made.onnx", tmp_path / "other.onnx", random.Random(6)))
    )
    assert {one for one, _ in names(changes) if one} == {one for one, _ in names(plain) if one}
    assert changes.count(Change.ADDED) == plain.count(Change.ADDED)


def test_numbered_names_that_shift_do_not_pair_what_is_not_the_same(tmp_path: Path) -> None:
    """One more layer at the front, and each node's name is the number of another one."""
    model = onnx.load(SAMPLES / "mobilenet_mini_int8.onnx")
    for i, node in enumerate(model.graph.node):
        node.name = f"node_{i}"
    onnx.save(model, tmp_path / "a.onnx")
    for i, node in enumerate(model.graph.node):
        node.name = f"node_{i + 3}"
    onnx.save(model, tmp_path / "b.onnx")
    changes = diff(opened(tmp_path / "a.onnx"), opened(tmp_path / "b.onnx"))
    assert changes.touched == ()


@pytest.mark.parametrize("one", MODELS, ids=lambda p: p.stem)
def test_unrelated_models_are_said_to_be_so(one: Path) -> None:
    for other in MODELS:
        family = {one.stem.rsplit("_", 1)[0], other.stem.rsplit("_", 1)[0]}
        assert diff(opened(one), opened(other)).related == (len(family) == 1)


def changed_model(tmp_path: Path, name: str, value: float) -> Path:
    """The sample with one initializer multiplied."""
    model = onnx.load(DENOISER)
    (tensor,) = (t for t in model.graph.initializer if t.name == name)
    array = numpy_helper.to_array(tensor)
    tensor.CopyFrom(numpy_helper.from_array((array * value).astype(array.dtype), name))
    onnx.save(model, tmp_path / "changed.onnx")
    return tmp_path / "changed.onnx"


@pytest.mark.parametrize(
    ("what", "change"),
    [("scale", Change.REQUANTIZED), ("weight", Change.RETRAINED), ("bias", Change.RETRAINED)],
)
def test_one_changed_constant_is_found_where_it_is(tmp_path: Path, what: str, change: Change) -> None:
    session = opened(DENOISER)
    layer = session.layers.by_name["Gemm_51"]
    operand = layer.bias if what == "bias" else layer.weight
    assert operand is not None and operand.constant is not None
    name = operand.constant.name
    if what == "scale":
        (node,) = (node for node in session.graph.nodes if node.input(0) == name)
        name = node.input(1)
    changes = diff(session, opened(changed_model(tmp_path, name, 0.5)))
    (pair,) = changes.touched
    assert (pair.report.name, pair.changes) == ("Gemm_51", {change})
    assert changes.regressions == ()


def test_what_is_worse_is_a_regression_and_the_way_back_is_none(tmp_path: Path) -> None:
    session = opened(DENOISER)
    npuscope.export(padded(session), tmp_path / "made.onnx")
    better = opened(tmp_path / "made.onnx")
    assert diff(session, better).regressions == ()
    worse = diff(better, session).regressions
    assert worse and "on the CPU" in worse[0]
    assert any("ms before" in words for words in worse)


def test_constants_that_are_computed_without_end_are_not_read_to_be_compared(tmp_path: Path) -> None:
    """25 doublings of four numbers are 512 MB; the layers are paired by their shapes then."""
    doublings = "\n".join(f"  c{n + 1} = Concat<axis = 0>(c{n}, c{n})" for n in range(25))
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
    g (float[1] x) => (float[134217728] y) <float[4] c0 = {{1, 2, 3, 4}}>
    {{{doublings}
      y = Add(x, c25) }}"""
    session = Session.open(from_text(text, tmp_path), target("2.1"))
    assert all(constant.nbytes <= 1 << 30 for constant in session.graph.constants.values())
    tracemalloc.start()
    try:
        changes = diff(session, session)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert not changes.touched
    assert peak < 300 << 20
