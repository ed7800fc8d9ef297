"""Accuracy repaired: more dB within the time that is given, each gain and price as an own measurement has it."""

from __future__ import annotations

import json
from math import inf
from pathlib import Path

import numpy as np
import onnx
import pytest
from builders.networks.float_networks import NETWORKS, FloatNetwork

from npuscope.cli.main import main
from npuscope.machine.build import Build
from npuscope.machine.machine import target_of
from npuscope.model.load import Source, source_of
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.quantize import Settings
from npuscope.numbers.verify_models import verify
from npuscope.planning.accuracy.most_exact import LEAST_GAIN_DB
from npuscope.services.quantizing import quantize_for
from npuscope.services.repairing import repair

TARGET = target_of(Build())


def unlike() -> onnx.ModelProto:
    """Two convolutions whose channels between them differ by a factor of 1000, and count alike."""
    net = FloatNetwork(11)
    factors = np.exp2(np.linspace(-5, 5, 8)).reshape(-1, 1, 1, 1)
    first = net.constant(net.rng.normal(0, 0.3, (8, 3, 3, 3)) * factors)
    hidden = net.add("Relu", net.add("Conv", "x", first, pads=[1] * 4))
    second = net.constant(net.rng.normal(0, 0.3, (4, 8, 1, 1)) / factors.reshape(1, -1, 1, 1))
    return net.model((1, 3, 12, 12), net.add("Conv", hidden, second))


def opened(model: onnx.ModelProto) -> Source:
    return source_of(Path("m.onnx"), model)


def test_unlike_channels_are_equalized_at_no_cost() -> None:
    source = opened(unlike())
    samples = random_samples(source, 4)
    start = quantize_for(source, TARGET, samples, Settings())
    best = repair(source, start, samples, most_milliseconds=0.0)
    assert best.repairs
    assert best.repairs[0].words == "equalize the channels between 1 pair of layers"
    assert best.repairs[0].decibels > 6
    assert all(one.milliseconds <= 1e-9 for one in best.repairs)
    assert best.snapshot.summary.milliseconds <= start.snapshot.summary.milliseconds + 1e-9


@pytest.mark.parametrize("name", ["detector", "gates"])
def test_gains_add_up_to_what_verify_measures(name: str) -> None:
    source = opened(NETWORKS[name]())
    samples = random_samples(source, 3)
    start = quantize_for(source, TARGET, samples, Settings(per_channel=False))
    limit = 2 * start.snapshot.summary.milliseconds
    best = repair(source, start, samples, most_milliseconds=limit)
    assert start.sqnr_db is not None
    assert best.sqnr_db is not None
    assert best.repairs
    assert all(one.decibels >= LEAST_GAIN_DB for one in best.repairs)
    assert sum(one.decibels for one in best.repairs) == pytest.approx(best.sqnr_db - start.sqnr_db, abs=1e-6)
    summary, before = best.snapshot.summary, start.snapshot.summary
    assert summary.milliseconds <= limit + 1e-9
    assert sum(one.milliseconds for one in best.repairs) == pytest.approx(
        summary.milliseconds - before.milliseconds
    )
    measured = verify(source, best.session.source, inputs=samples).sqnr_db_min
    assert measured == pytest.approx(best.sqnr_db, abs=0.05)


def test_a_larger_budget_buys_no_less() -> None:
    source = opened(NETWORKS["unet"]())
    samples = random_samples(source, 3)
    start = quantize_for(source, TARGET, samples, Settings())
    free, paid = (repair(source, start, samples, most_milliseconds=most) for most in (0.0, inf))
    assert free.sqnr_db is not None
    assert paid.sqnr_db is not None
    assert paid.sqnr_db >= free.sqnr_db - 1e-9
    assert any("in float" in one.words and one.milliseconds > 0 for one in paid.repairs)


def test_the_command_lists_gain_and_price(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    onnx.save(unlike(), tmp_path / "m.onnx")
    out = tmp_path / "q.onnx"
    arguments = [
        "quantize",
        str(tmp_path / "m.onnx"),
        "--random",
        "--samples",
        "3",
        "--repair",
        "-o",
        str(out),
    ]
    assert main([*arguments, "--json"]) == 0
    best, plain = json.loads(capsys.readouterr().out)["settings"]
    assert best["repairs"][0]["gain_db"] > 6
    assert best["sqnr_db"] > plain["sqnr_db"] + 6
    assert main([*arguments, "--force"]) == 0
    assert "equalize the channels" in capsys.readouterr().out
    assert main([*arguments[:5], "--max-ms", "3", "-o", str(tmp_path / "other.onnx")]) == 2


def spiky() -> tuple[Source, tuple[dict[str, np.ndarray], ...]]:
    """A convolution whose few large outputs saturate the Tanh behind it: they set the scale and say nothing."""
    net = FloatNetwork(12)
    weights = np.eye(4, dtype=np.float32).reshape(4, 4, 1, 1)
    weights[:, 0] = 200
    model = net.model((1, 4, 16, 16), net.add("Tanh", net.add("Conv", "x", net.constant(weights))))
    rng = np.random.default_rng(3)
    values = rng.normal(0, 0.5, (3, 1, 4, 16, 16))
    values[:, :, 0] = rng.random((3, 1, 16, 16)) < 0.002
    return opened(model), tuple({"x": value.astype(np.float32)} for value in values)


def test_outliers_are_clipped_where_that_helps() -> None:
    source, samples = spiky()
    start = quantize_for(source, TARGET, samples, Settings())
    best = repair(source, start, samples, most_milliseconds=0.0)
    clipped = [one for one in best.repairs if one.words.startswith("clip the output of Conv_0")]
    assert clipped
    assert clipped[0].decibels > 3
    ((tensor, low, high),) = best.settings.ranges
    quant = next(
        operand.quant
        for layer in best.session.layers.layers
        for operand in layer.outputs
        if layer.name == "Conv_0"
    )
    assert tensor == "Conv_0_out"
    assert quant is not None
    assert quant.range == pytest.approx((low, high), rel=0.02)
