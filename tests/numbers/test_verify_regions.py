"""Verification by regions, where models diverge, and which edit is to blame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from builders import models
from builders.edit_checks import FEW, opened
from builders.layer_chains import ChainSpec, chain, chains
from builders.weighted_layers import NAME, Spec, model, saved, sizes, specs
from hypothesis import given
from hypothesis import strategies as st

from npuscope.edits.edit import Edit, Exactness
from npuscope.edits.kinds.int8_borders import Int8Borders
from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.edits.kinds.recentre import Recentre
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.jobs import Job, StoppedError
from npuscope.model.errors import ModelError
from npuscope.model.load import load
from npuscope.numbers.blame import bisect, first_difference
from npuscope.numbers.region import regions
from npuscope.numbers.verify_models import verify
from npuscope.numbers.verify_regions import verify_local
from npuscope.session import Session


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("local")


def with_edits(session: Session, *edits: Edit) -> Session:
    for edit in edits:
        changed = session.edit(edit)
        assert isinstance(changed, Session), changed
        session = changed
    return session


@pytest.fixture(scope="module")
def split() -> Session:
    """The denoiser with two exact edits and two that are not."""
    return with_edits(
        opened(load(models.DENOISER)),
        SplitOutput("Gemm_30", (1000, 24)),
        SplitInput("Gemm_28", (144, 113)),
        SplitOutput("Gemm_74", (200, 57)),
        SplitInput("Gemm_51", (200, 56)),
    )


@FEW
@given(data=st.data())
def test_the_region_of_one_layer_tells_what_the_whole_model_does(data: st.DataObject, folder: Path) -> None:
    spec: Spec = data.draw(specs())
    inward = data.draw(st.booleans())
    cut = data.draw(sizes(spec.ich if inward else spec.och))
    session = with_edits(
        opened(saved(model(spec), folder)), SplitInput(NAME, cut) if inward else SplitOutput(NAME, cut)
    )
    verification = verify_local(session, samples=2)
    assert verification.whole_model is not None and verification.drawn == "model"
    assert [region.layers[0] for region in verification.regions] == [NAME]
    assert verification.regions[0].bit_exact == verification.whole_model.bit_exact
    assert [o.max_steps for o in verification.regions[0].outputs] == [
        o.max_steps for o in verification.whole_model.outputs
    ]
    apart = verify_local(session, samples=2, whole_model=False)
    assert apart.whole_model is None and apart.drawn == "random"
    if not inward:
        assert apart.bit_exact


@FEW
@given(data=st.data())
def test_zeros_that_travel_make_one_region_that_changes_nothing(data: st.DataObject, folder: Path) -> None:
    spec: ChainSpec = replace(data.draw(chains()), head="Conv")
    session = opened(saved(chain(spec), folder)).edit(PadChannels("B", spec.channels + 3))
    if not isinstance(session, Session):
        return
    verification = verify_local(session, samples=1)
    assert verification.bit_exact and all(region.outputs for region in verification.regions)
    assert all(
        difference.cosine == pytest.approx(1) for r in verification.regions for difference in r.outputs
    )
    assert first_difference(session.source, session, samples=1) is None


def test_regions_are_those_of_the_edits(split: Session) -> None:
    changed = regions(split.states[0].graph, split.graph)
    assert [region.layers for region in changed] == [("Gemm_28",), ("Gemm_30",), ("Gemm_51",), ("Gemm_74",)]
    for region in changed:
        assert region.before.outputs == region.after.outputs
        assert all(
            split.graph.type(name).dtype == "int8" for name in (*region.inputs, *region.before.outputs)
        )
    assert regions(split.graph, split.graph) == ()


@pytest.mark.parametrize("whole_model", [True, False])
def test_each_cut_layer_has_its_difference(split: Session, whole_model: bool) -> None:
    verification = verify_local(split, samples=2, whole_model=whole_model)
    exact = {region.layers: region.bit_exact for region in verification.regions}
    assert exact == {("Gemm_28",): False, ("Gemm_30",): True, ("Gemm_51",): False, ("Gemm_74",): True}
    assert not verification.bit_exact
    for region in verification.regions:
        (output,) = region.outputs
        assert region.bit_exact or (0.9 < output.cosine < 1 and output.mean_steps > 0)
    data = verification.to_json()
    assert data["drawn"] == ("model" if whole_model else "random") and len(data["regions"]) == 4


def test_the_region_of_a_large_model_runs_alone(tmp_path: Path) -> None:
    from benchmarks.models import qdq_chain

    source = load(qdq_chain(tmp_path / "long.onnx", 900))
    session = with_edits(opened(source), SplitOutput("/block3/layer93/Conv", (9, 7)))
    verification = verify_local(session, samples=2)
    assert (verification.drawn, verification.whole_model, verification.bit_exact) == ("random", None, True)
    assert verification.regions[0].layers == ("/block3/layer93/Conv",)


def test_inputs_that_became_integers_are_fed_as_integers(folder: Path) -> None:
    made = model(Spec())
    made.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    made.graph.input[0].name = "given"
    made.graph.node.insert(
        0, onnx.helper.make_node("QuantizeLinear", ["given", "x_scale", "x_zero_point"], ["x"], "first")
    )
    session = with_edits(opened(saved(made, folder)), Int8Borders())
    for whole_model in (True, False):
        assert verify_local(session, samples=1, whole_model=whole_model).bit_exact


def test_progress_and_stopping(split: Session) -> None:
    seen: list[tuple[int, int]] = []
    verify_local(split, samples=1, whole_model=False, job=Job(lambda done, total: seen.append((done, total))))
    assert seen == [(i, 4) for i in range(5)]
    with pytest.raises(StoppedError):
        verify_local(split, samples=1, job=Job(should_stop=lambda: True))


def test_where_two_models_part(split: Session) -> None:
    difference = first_difference(split.source, split, samples=2)
    assert difference is not None
    assert (difference.layer, difference.difference.bit_exact) == ("Gemm_28", False)
    assert difference.compared > 30
    undone = split.undo().undo().undo()
    assert first_difference(split.source, undone, samples=1) is None


def test_models_without_a_layer_in_common_are_told_apart() -> None:
    other = load(models.SAMPLES / "mobilenet_mini_int8.onnx")
    with pytest.raises(ModelError, match="no layer in common"):
        first_difference(load(models.DENOISER), other)


def test_the_edit_to_blame(split: Session) -> None:
    differing = bisect(split, samples=2)
    assert differing is not None
    assert (differing.index, differing.edit) == (1, SplitInput("Gemm_28", (144, 113)))
    assert differing.before.bit_exact and not differing.after.bit_exact
    assert bisect(split.undo().undo().undo(), samples=1) is None
    assert bisect(split, decibels=1.0, samples=1) is None


def test_the_edit_that_takes_the_outputs_below_a_bound(split: Session) -> None:
    ratios = []
    for count in range(1, 5):
        state = replace(split, states=split.states[: count + 1], done=split.done[:count])
        ratios.append(verify(split.source, state, samples=2).sqnr_db_min or np.inf)
    bound = ratios[1] - 0.01
    expected = next((i for i, ratio in enumerate(ratios) if ratio < bound), None)
    differing = bisect(split, decibels=float(bound), samples=2)
    assert (None if differing is None else differing.index) == expected


def test_another_grid_on_a_tensor_is_no_tensor_in_common() -> None:
    session = opened(load(models.DENOISER)).edit(Recentre("Gemm_30"))
    assert isinstance(session, Session) and session.done[0].exactness is Exactness.APPROXIMATE
    verification = verify_local(session, samples=2)
    assert verification.whole_model is not None
    cosines = [output.cosine for region in verification.regions for output in region.outputs]
    assert cosines and min(cosines) > 0.9


@FEW
@given(spec=chains())
def test_a_grid_that_changes_is_compared_on_both_sides_of_it(spec: ChainSpec, folder: Path) -> None:
    session = opened(saved(chain(spec), folder))
    changed = session.edit(Recentre("B", 0))
    if not isinstance(changed, Session):
        return
    verification = verify_local(changed, samples=2)
    outputs = [output for region in verification.regions for output in region.outputs]
    assert outputs and all((o.sqnr_db or 99) > 5 or o.max_steps <= 4 for o in outputs), (
        "half a new step, not another grid"
    )


def test_what_is_not_compared_does_not_count_as_alike() -> None:
    session = opened(load(models.SAMPLES / "convnet_qoperator.onnx"))
    changed = session.edit(Int8Borders())
    assert isinstance(changed, Session)
    alone = verify_local(changed, samples=1, whole_model=False)
    assert alone.uncompared and not alone.bit_exact
    assert verify_local(changed, samples=1, whole_model=True).bit_exact
