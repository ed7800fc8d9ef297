"""Verification: what it compares, what it says, and that its own rewriting changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from builders import models
from builders.longer import suite_or_long
from builders.weighted_layers import NAME, Spec, model, saved, specs
from hypothesis import HealthCheck, given, settings
from onnx import numpy_helper

from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.jobs import Job, StoppedError
from npuscope.machine.machine import target
from npuscope.model.errors import ModelError
from npuscope.model.layers import fold
from npuscope.model.load import load
from npuscope.model.quant import Quant
from npuscope.numbers.differences import SQNR_LIMIT_DB, STEPS_LIMIT, DifferenceMeter
from npuscope.numbers.exact_sums import with_exact_sums
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.runner import Runner
from npuscope.numbers.verify_models import verify
from npuscope.session import Session


def edited(session: Session, edit: SplitInput | SplitOutput) -> Session:
    outcome = session.edit(edit)
    assert isinstance(outcome, Session), outcome
    return outcome


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("verify")


@settings(max_examples=suite_or_long(12, 750), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spec=specs())
def test_exact_sums_are_the_same_sums(spec: Spec, folder: Path) -> None:
    source = saved(model(spec), folder)
    plain = Runner(source, source.graph)
    exact = Runner(source, with_exact_sums(source.graph, fold(source.graph)))
    assert with_exact_sums(source.graph, fold(source.graph)) is not source.graph
    for sample in random_samples(source, 2, spec.seed):
        difference = np.abs(plain.run(sample)[0].astype(int) - exact.run(sample)[0].astype(int))
        # A tie may round the other way, no more.
        assert difference.max() <= 1 and np.count_nonzero(difference) <= 1 + difference.size // 100


def test_float_models_are_run_as_they_are() -> None:
    graph = load(models.SAMPLES / "denoiser_lstm_float.onnx").graph
    assert with_exact_sums(graph, fold(graph)) is graph


def test_the_json_has_the_promised_keys() -> None:
    source = load(models.DENOISER)
    session = edited(Session.open(source, target("2.1")), SplitInput("Gemm_28", (144, 113)))
    result = verify(source, session, samples=3, seed=7).to_json()
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["schema"] == "npuscope.verify/1"
    assert (result["samples"], result["seed"], result["bit_exact"]) == (3, 7, False)
    assert result["sqnr_db_min"] == min(output["sqnr_db"] for output in result["outputs"])
    assert [output["name"] for output in result["outputs"]] == list(source.graph.outputs)
    for output in result["outputs"]:
        assert output["step_from"] == "quantization"
        assert {"name", "bit_exact", "max_steps", "mean_steps", "sqnr_db"} <= output.keys()


def test_the_same_model_is_bit_exact_and_runs_the_same_twice() -> None:
    source = load(models.DENOISER)
    verification = verify(source, source, samples=2)
    assert verification.bit_exact and verification.sqnr_db_min is None
    assert all(
        o.sqnr_db is None and o.cosine == pytest.approx(1) and o.max_steps == 0 for o in verification.outputs
    )
    session = edited(Session.open(source, target("2.1")), SplitInput("Gemm_28", (144, 113)))
    assert verify(source, session, samples=2) == verify(source, session, samples=2)


def test_a_changed_weight_is_seen(tmp_path: Path) -> None:
    made = model(Spec())
    source = saved(made, tmp_path)
    weight = next(tensor for tensor in made.graph.initializer if tensor.name == "w")
    values = numpy_helper.to_array(weight).copy()
    values[0, 0] ^= 0x40
    weight.CopyFrom(numpy_helper.from_array(values, "w"))
    verification = verify(source, saved(made, tmp_path, "other.onnx"))
    assert not verification.bit_exact and verification.outputs[0].differing > 0
    assert verification.sqnr_db_min is not None and 5 < verification.sqnr_db_min < 60


def test_a_session_is_verified_without_a_file(tmp_path: Path) -> None:
    source = saved(model(Spec()), tmp_path)
    session = edited(Session.open(source, target("2.1")), SplitOutput(NAME, (5, 5)))
    before = sorted(path.name for path in tmp_path.iterdir())
    assert verify(source, session).bit_exact
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("link", [False, True])
def test_large_and_external_weights_are_found(link: bool, tmp_path: Path) -> None:
    made = model(Spec(ich=2100, och=2100))
    onnx.save(made, tmp_path / "inline.onnx")
    onnx.save(made, tmp_path / "external.onnx", save_as_external_data=True, location="weights.bin")
    inline, external = tmp_path / "inline.onnx", tmp_path / "external.onnx"
    if link:
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "linked.onnx").symlink_to(inline)
        inline = tmp_path / "other" / "linked.onnx"
    one, other = load(inline), load(external)
    assert one.spans and not other.spans
    for source in (one, other):
        session = edited(Session.open(source, target("2.1")), SplitOutput(NAME, (1000, 1100)))
        assert verify(one, session, samples=1).bit_exact
    assert verify(one, other, samples=1).bit_exact


def test_outputs_of_other_names_belong_together_by_position(tmp_path: Path) -> None:
    made = model(Spec())
    source = saved(made, tmp_path)
    for node in made.graph.node:
        node.input[:] = ["in" if name == "x" else name for name in node.input]
        node.output[:] = ["out" if name == "y" else name for name in node.output]
    made.graph.input[0].name, made.graph.output[0].name = "in", "out"
    verification = verify(source, saved(made, tmp_path, "renamed.onnx"))
    assert verification.bit_exact and verification.outputs[0].name == "y"


MISFITS = [
    (Spec(ich=12), Spec(ich=13), "cannot be compared"),
    (Spec(dtype="int8"), Spec(dtype="uint8", zero_point=128, out_zero_point=128), "cannot be compared"),
    (Spec(zero_point=5), Spec(zero_point=6), "quantized differently"),
    (Spec(och=10), Spec(och=11), "output 'y' has shape [1, 11]"),
]


@pytest.mark.parametrize(("one", "other", "message"), MISFITS)
def test_models_that_do_not_fit_are_refused(one: Spec, other: Spec, message: str, tmp_path: Path) -> None:
    first, second = saved(model(one), tmp_path), saved(model(other), tmp_path, "b.onnx")
    with pytest.raises(ModelError, match=message.replace("[", r"\[")):
        verify(first, second)


def test_different_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="5 inputs"):
        verify(saved(model(Spec()), tmp_path), load(models.DENOISER))


def test_a_model_onnxruntime_does_not_take_is_named(tmp_path: Path) -> None:
    source = models.from_text(
        '<ir_version: 8, opset_import: ["" : 13, "x" : 1]> g (float[1] a) => (float[1] b) { b = x.Odd(a) }',
        tmp_path,
    )
    with pytest.raises(ModelError, match=r"model\.onnx: onnxruntime does not take it"):
        verify(source, source)


def test_a_run_reports_and_can_be_stopped(tmp_path: Path) -> None:
    source = saved(model(Spec()), tmp_path)
    seen: list[tuple[int, int]] = []
    verify(source, source, samples=3, job=Job(lambda done, total: seen.append((done, total))))
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]
    seen.clear()
    with pytest.raises(StoppedError):
        verify(
            source,
            source,
            samples=3,
            job=Job(lambda done, total: seen.append((done, total)), lambda: len(seen) == 2),
        )
    assert seen == [(0, 3), (1, 3)]


def compared(a: list[float], b: list[float]) -> DifferenceMeter:
    comparison = DifferenceMeter("y", None)
    comparison.add(np.array(a, np.float32), np.array(b, np.float32))
    return comparison


def test_float_steps_are_a_255th_of_the_range() -> None:
    outcome = compared([0, 255], [1, 255]).result()
    assert (outcome.max_steps, outcome.mean_steps, outcome.step, outcome.step_from) == (
        1,
        0.5,
        1,
        "range/255",
    )
    assert outcome.sqnr_db == pytest.approx(20 * np.log10(255))


def test_odd_values_still_give_numbers() -> None:
    nan, inf = float("nan"), float("inf")
    same = compared([nan, inf, 1], [nan, inf, 1]).result()
    assert same.bit_exact and same.sqnr_db is None
    for a, b in (
        ([0, 0], [0, 1]),
        ([1, 2], [nan, 2]),
        ([1, 2], [inf, 2]),
        ([nan, 2], [1, 2]),
        ([inf, 1], [-inf, 1]),
    ):
        outcome = compared(a, b).result()
        assert not outcome.bit_exact and outcome.sqnr_db is not None
        assert outcome.sqnr_db >= -SQNR_LIMIT_DB and outcome.max_steps <= STEPS_LIMIT
        json.dumps(outcome.to_json(), allow_nan=False)


@pytest.mark.parametrize("scale", [0.0, -1.0, np.inf, np.nan])
def test_a_scale_that_is_no_step_is_not_divided_by(scale: float) -> None:
    quant = Quant(np.array([scale]), np.array([0]), None, "int8")
    meter = DifferenceMeter("y", quant)
    meter.add(np.array([0.0, 255.0]), np.array([0.0, 253.0]))
    result = meter.result()
    assert (result.step, result.step_from, result.max_steps) == (1.0, "range/255", 2.0)
