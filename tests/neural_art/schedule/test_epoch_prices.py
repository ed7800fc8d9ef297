"""From layers to milliseconds: traffic, pools, clocks, set-up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from builders.models import DENOISER, SAMPLES, analysed, from_text, gemm_qdq

from npuscope.machine.machine import Target, target
from npuscope.machine.variants import (
    with_epoch_controller,
    with_flash_clock,
    with_optimization,
    with_profile,
    without_external_memory,
)
from npuscope.model.load import load
from npuscope.neural_art.schedule.simulate import simulate
from npuscope.npu.verdict import Placement
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

CHAIN = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,16,32,32] x) => (int8[1,16,32,32] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {16, 16, 1, 1}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  a = Conv(xf, wf)
  aq = QuantizeLinear(a, s, z)
  af = DequantizeLinear(aq, s, z)
  b = Sigmoid(af)
  bq = QuantizeLinear(b, s, z)
  bf = DequantizeLinear(bq, s, z)
  c = Conv(bf, wf)
  y = QuantizeLinear(c, s, z) }"""


def on(source_text: str, folder: Path, machine: Target) -> Snapshot:
    return analyse(Session.open(from_text(source_text, folder), machine))


@pytest.fixture(scope="module")
def gemm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gemm") / "gemm.onnx"
    onnx.save(gemm_qdq(256, 1024, 5), path)
    return path


def analysed_on(path: Path, machine: Target) -> Snapshot:
    return analyse(Session.open(load(path), machine))


def test_a_chained_tensor_never_reaches_memory(tmp_path: Path) -> None:
    snapshot = on(CHAIN, tmp_path, target("2.1"))
    assert [len(epoch.layers) for epoch in snapshot.epochs] == [0, 3]  # the first copies the input
    tensor = 16 * 32 * 32
    assert snapshot.memory.peak_activations == 2 * tensor
    assert set(snapshot.memory.buffers) == {"x", "x#input", "y"}


def test_weights_bind_where_flash_is_slow(gemm: Path) -> None:
    epoch = analysed_on(gemm, target("2.1")).epochs[-1]
    assert epoch.compute_cycles == 262_144
    assert epoch.cycles == pytest.approx(6 * (262_144 + 4 * 1024))
    assert epoch.bound_by == "octoFlash"
    # 0.4 GB/s: 8 bits at 200 MHz on both edges
    assert epoch.milliseconds - epoch.start_milliseconds == pytest.approx(266_240 / 400e6 * 1e3, rel=0.05)


def test_weights_in_npu_ram_are_no_longer_the_bound(gemm: Path) -> None:
    flash = analysed_on(gemm, target("2.1"))
    inside = analysed_on(gemm, without_external_memory(target("2.1")))
    assert inside.epochs[-1].cycles == inside.epochs[-1].compute_cycles == 262_144
    assert inside.epochs[-1].bound_by == "weights"
    assert inside.summary.milliseconds < 0.6 * flash.summary.milliseconds
    assert inside.memory.weights_in == {"Gemm_0": "npuRAM5"}


def test_clocks_change_milliseconds_and_not_cycles(gemm: Path) -> None:
    base = without_external_memory(target("2.1"))
    fast, slow = analysed_on(gemm, base), analysed_on(gemm, with_profile(base, "nominal"))
    assert fast.summary.cycles == slow.summary.cycles
    ratio = slow.summary.milliseconds / fast.summary.milliseconds
    assert 1.2 < ratio < 1.35  # NPU 1000 to 800 MHz, CPU 800 to 600


def test_a_board_with_a_slow_flash_waits_for_weights(gemm: Path) -> None:
    fast = analysed_on(gemm, target("4.0", "nominal"))
    slow = analysed_on(gemm, with_flash_clock(target("4.0", "nominal"), 50_000_000))
    assert fast.summary.cycles == slow.summary.cycles
    assert slow.summary.milliseconds > 3 * fast.summary.milliseconds


def test_the_epoch_controller_saves_set_up() -> None:
    path = SAMPLES / "mobilenet_mini_int8.onnx"
    without = analysed_on(path, target("4.0"))
    with_controller = analysed_on(path, with_epoch_controller(target("4.0")))
    starts = [sum(e.start_milliseconds for e in s.epochs) for s in (without, with_controller)]
    assert starts[1] < starts[0]
    assert with_controller.summary.compute_cycles == without.summary.compute_cycles


def test_summary_adds_up() -> None:
    snapshot = analysed(load(DENOISER))
    summary = snapshot.summary
    assert summary.milliseconds == pytest.approx(sum(e.milliseconds for e in snapshot.epochs))
    assert summary.cycles == sum(e.cycles for e in snapshot.epochs) >= summary.compute_cycles
    assert 0 < summary.milliseconds_error < summary.milliseconds
    assert summary.millijoules > 0
    assert sum(pool.weights for pool in snapshot.memory.pools) == summary.weights_bytes


def test_the_threads_report() -> None:
    """ST Edge AI Core 2.1, profile n6-noextmem: 1,287,937 B of weights, three software Conv, 2 OPS/cycle."""
    snapshot = analysed_on(DENOISER, without_external_memory(target("2.1")))
    assert snapshot.summary.weights_bytes == pytest.approx(1_287_937, rel=0.02)
    software = [epoch for epoch in snapshot.epochs if epoch.placement.on_cpu]
    assert [epoch.op for epoch in software] == ["Conv"] * 3
    cost = snapshot.by_name["Gemm_30"].cost
    assert cost is not None
    assert round(cost.ops_per_cycle, 2) == 2.0
    assert cost.choked_ports == ("weights",)


def test_software_milliseconds_follow_the_board_not_the_compiler() -> None:
    cost = analysed(load(DENOISER)).by_name["Gemm_28"].cost
    assert cost is not None and not cost.certain
    # the compiler counts a cycle for each input, weight, bias and output, for what an integer kernel needs beside, the board
    # takes about one a MAC and 65 an output, and waits for the weights and bias from flash
    assert cost.cycles == 257 + 263_168 + 2 * 1024 + 6 + 2 * (4 * 257 + 3)
    machine = target("2.1")
    fetch = (263_168 + 4 * 1024) / machine.bytes_per_second(machine.weight_pools[0])
    assert cost.milliseconds == pytest.approx(((263_168 * 0.96 + 1024 * 65 + 3000) / 800e6 + fetch) * 1e3)


@pytest.mark.parametrize(("depth", "columns", "cycles"), [(32, 30, 3118), (30, 32, 3102)])
def test_heads_of_a_product_as_the_compiler_counts_them(
    depth: int, columns: int, cycles: int, tmp_path: Path
) -> None:
    """c_info.json of transformer_128 (2.2): 24 software Conv of each shape, four a product."""
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,4,30,{depth}] x, int8[1,4,{depth},{columns}] w) => (int8[1,4,30,{columns}] y)
    <float s = {{0.1}}, int8 z = {{3}}>
    {{ xf = DequantizeLinear(x, s, z)  wf = DequantizeLinear(w, s, z)  a = MatMul(xf, wf)  y = QuantizeLinear(a, s, z) }}"""
    cost = on(text, tmp_path, target("2.2")).layers[-1].cost
    assert cost is not None and cost.compute_cycles == 4 * cycles


def test_views_cost_nothing_and_share_their_buffer(tmp_path: Path) -> None:
    text = CHAIN.replace("y = QuantizeLinear(c, s, z)", "yq = QuantizeLinear(c, s, z)\n  y = Identity(yq)")
    snapshot = on(text, tmp_path, target("2.1"))
    last = snapshot.layers[-1]
    assert last.cost is not None and last.cost.milliseconds == 0
    assert len(snapshot.memory.buffers) == 3  # x, its copy, y


def test_short_accesses_are_counted_from_3_0(tmp_path: Path) -> None:
    """A depthwise Conv that is not inflated takes one channel of interleaved ones: mobilenet_v2_128, epoch 9."""
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,80,32,32] x) => (int8[1,80,32,32] y)
    <float s = {0.1}, int8 z = {-128}, int8 wz = {0}, int64[4] ws = {80, 1, 3, 3}>
    { w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
      xf = DequantizeLinear(x, s, z)
      wf = DequantizeLinear(w, s, wz)
      a = Conv <group = 80, pads = [1, 1, 1, 1]> (xf, wf)
      y = QuantizeLinear(a, s, z) }"""
    plain = with_optimization(target("3.0"), "default")
    new, old = on(text, tmp_path, plain).epochs[-1], on(text, tmp_path, target("2.2")).epochs[-1]
    assert (new.compute_cycles, new.cycles) == (81_920, 102_400)
    assert (old.compute_cycles, old.cycles) == (81_920, 81_920)
    assert on(text, tmp_path, target("3.0")).epochs[-1].cycles == 81_920  # in groups of four


def test_a_layer_that_takes_several_epochs_is_paid_once(tmp_path: Path) -> None:
    snapshot = on(CHAIN, tmp_path, target("2.2"))
    layers = Session.open(from_text(CHAIN, tmp_path), target("2.2")).layers
    costs = {report.name: report.cost for report in snapshot.layers}
    first, last = (replace(epoch, inserted=()) for epoch in snapshot.epochs)
    twice = [first, last, replace(last, index=3)]
    priced, _ = simulate(snapshot.graph, layers, costs, twice, target("2.2"))
    assert priced[1].compute_cycles + priced[2].compute_cycles == last.compute_cycles


def test_shapes_that_no_device_holds_have_no_price(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,9223372036854775807,9223372036854775807] x) => (int8[1,9223372036854775807,9223372036854775807] y)
    <float s = {0.1}, int8 z = {0}>
    { xf = DequantizeLinear(x, s, z)
      a = Sigmoid(xf)
      y = QuantizeLinear(a, s, z) }"""
    snapshot = on(text, tmp_path, target("4.0"))
    assert snapshot.layers[0].cost is None
    assert snapshot.summary.milliseconds < 1e6


def test_error_band_is_wider_for_software() -> None:
    band = target().error_band
    assert band.hw < band.software <= band.hybrid


SILU = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,16,32,32] x) => (int8[1,16,32,32] y)
<float s = {0.1}, int8 z = {0}, int8 wz = {0}, int64[4] ws = {16, 16, 1, 1}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  f = DequantizeLinear(x, s, z)
  g = DequantizeLinear(w, s, wz)
  c = Conv(f, g)
  cq = QuantizeLinear(c, s, z)
  cf = DequantizeLinear(cq, s, z)
  a = Sigmoid(cf)
  aq = QuantizeLinear(a, s, z)
  af = DequantizeLinear(aq, s, z)
  m = Mul(cf, af)
  y = QuantizeLinear(m, s, z) }"""


def test_what_lies_between_two_epochs_is_in_memory(tmp_path: Path) -> None:
    """x sigmoid(x) takes two epochs: both factors lie in memory when the product is made."""
    snapshot = on(SILU, tmp_path, target("2.0"))
    assert [len(epoch.layers) for epoch in snapshot.epochs] == [0, 2, 1]
    assert set(snapshot.memory.buffers) == {"x", "x#input", "cq", "aq", "y"}
    assert snapshot.memory.peak_activations == 3 * 16 * 32 * 32


def test_a_constant_output_is_copied_from_the_weights(tmp_path: Path) -> None:
    """Epoch 1 of ssd_mobilenet_v1_256: 109 200 bytes of boxes, six cycles a byte from flash."""
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,8,4,4] x) => (int8[1,8,4,4] y, float[1,100] boxes) <float s = {0.1}, int8 z = {0}, int64[2] n = {1, 100}>
    { b = ConstantOfShape <value: tensor = float[1] {1.0}> (n)
      boxes = Identity(b)
      f = DequantizeLinear(x, s, z)
      a = Sigmoid(f)
      y = QuantizeLinear(a, s, z) }"""
    snapshot = on(text, tmp_path, target("2.1"))
    copied = next(epoch for epoch in snapshot.epochs if any(i.kind == "Identity" for i in epoch.inserted))
    assert copied.cycles == 6 * 400 and "boxes" in snapshot.memory.buffers


def test_only_an_intermediate_model_quantizes_its_float_inputs(tmp_path: Path) -> None:
    """The front end makes a user's float input int8; what it left float it meant (blazeface_128, epoch 2)."""
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (float[1,4,4,8] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {3}>
    { t = Transpose <perm = [0, 3, 1, 2]> (x)
      q = QuantizeLinear(t, s, z)
      f = DequantizeLinear(q, s, z)
      a = Sigmoid(f)
      y = QuantizeLinear(a, s, z) }"""
    session = Session.open(from_text(text, tmp_path), target("2.2"))
    plain = analyse(session)
    assert plain.summary.epochs_sw == 0 and plain.memory.peak_activations == 2 * 128
    graph = replace(session.graph, imported=True)
    costs = {report.name: report.cost for report in plain.layers}
    epochs, memory = simulate(graph, session.layers, costs, plain.epochs, target("2.2"))
    assert [epoch.index for epoch in epochs] == list(range(1, len(epochs) + 1))
    assert (epochs[0].op, epochs[0].placement, epochs[0].cycles) == (
        "QuantizeLinear",
        Placement.SW_FLOAT,
        2 * 128 + 2,
    )
    assert memory.peak_activations == 5 * 128


@pytest.mark.parametrize("toolchain", ["2.1", "4.0"])
def test_layers_of_one_epoch_share_the_flash(toolchain: str) -> None:
    """Two Gemms that run together fetch their weights through one memory, one after the other."""
    session = Session.open(load(DENOISER), target(toolchain))
    snapshot = analyse(session)
    flash = session.target.weight_pools[0]
    together = 0
    for epoch in snapshot.epochs:
        costs = [snapshot.by_name[name].cost for name in epoch.layers]
        fetched = [cost.streamed_bytes for cost in costs if cost is not None and cost.streamed_bytes]
        once = all(sum(name in other.layers for other in snapshot.epochs) == 1 for name in epoch.layers)
        if epoch.placement.on_cpu or not once:
            continue
        together += len(fetched) > 1
        least = sum(fetched) / session.target.bytes_per_second(flash) * 1e3
        assert epoch.milliseconds >= least
    assert together or toolchain == "4.0"


GATED = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,16,32,32] x, int8[1,16,1,1] v) => (int8[1,16,32,32] y)
<float s = {{0.1}}, int8 z = {{0}}, int64[4] ws = {{16, 16, 1, 1}}>
{{ w = ConstantOfShape <value: tensor = int8[1] {{1}}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  a = Conv(xf, wf)
  aq = QuantizeLinear(a, s, z)
  af = DequantizeLinear(aq, s, z)
  vf = DequantizeLinear({vector}, s, z)
  b = {kind}(af, vf)
  y = QuantizeLinear(b, s, z) }}"""


@pytest.mark.parametrize(
    ("version", "kind", "vector", "accesses"),
    [
        ("2.0", "Mul", "v", 1024),  # 16 channels at a time, as the convolution writes them
        ("3.0", "Mul", "v", 1024),
        ("4.0", "Mul", "v", 0),
        ("3.0", "Add", "v", 0),  # a probe of LarocheC/eco8-neaixt, 4.0.1
        ("3.0", "Mul", "aq", 0),  # a map
    ],
)
def test_a_computed_vector_of_the_channels_is_fetched_for_each_position(
    version: str, kind: str, vector: str, accesses: int, tmp_path: Path
) -> None:
    """semnasnet100 (3.0) and three EfficientNetV2 (2.0) of ST's tables: docs/accuracy-cost.md."""
    machine = target(version)
    snapshot = on(GATED.format(kind=kind, vector=vector), tmp_path, machine)
    epoch = next(epoch for epoch in snapshot.epochs if any(m.tensor == "y" and m.write for m in epoch.moves))
    waited = accesses * machine.latency.lone_access_cycles / machine.clocks.npu_ram_hz * 1e3
    working = epoch.milliseconds - epoch.start_milliseconds
    if accesses:
        assert working == pytest.approx(waited)
    else:
        assert working < 0.03
    assert (epoch.bound_by in {pool.name for pool in machine.pools}) is bool(accesses)
    assert sum(part.milliseconds for part in epoch.parts) == pytest.approx(epoch.milliseconds)


def test_external_memory_for_activations_is_slower_than_documented_and_less_certain() -> None:
    """EfficientNetV2-S at 384 x 384 (ST's table, 2.0) gets 0.25 of the 0.8 GB/s."""
    machine = target("2.0")
    rates = {pool.name: machine.bytes_per_second(pool) for pool in machine.pools if pool.external}
    assert rates == {"hyperRAM": 2.5e8, "octoFlash": 4e8}
    assert machine.error_band.hw < machine.error_band.external_ram


def test_weights_on_the_chip_come_no_faster_than_their_port_takes_them(tmp_path: Path) -> None:
    """A byte a cycle, three in Deep1x1: the first kernels are waited for as they are where weights set the time."""
    path = tmp_path / "gemm.onnx"
    onnx.save(gemm_qdq(256, 1024, 5), path)  # 16x8: a weight a cycle
    machine = without_external_memory(target("4.0"))
    report = next(
        r for r in analysed_on(path, machine).layers if r.cost is not None and r.cost.tiling is not None
    )
    assert report.cost is not None and report.cost.tiling is not None
    passes = report.cost.tiling.passes
    assert report.cost.compute_cycles == 256 * 1024
    least = report.cost.compute_cycles * (1 + 1 / passes) / machine.clocks.npu_hz * 1e3
    assert least <= report.cost.milliseconds < 1.2 * least


def test_the_gate_of_a_conv1d_is_waited_for(tmp_path: Path) -> None:
    """A Citrinet (LarocheC/stm32n6-stt, 4.0.1, 600/800 MHz): 51,200 values, a channel at a time, took 2,124 us."""
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,256,200] x, int8[1,256,1] v) => (int8[1,256,200] y)
    <float s = {0.1}, int8 z = {0}>
    { xf = DequantizeLinear(x, s, z)
      vf = DequantizeLinear(v, s, z)
      a = Mul(xf, vf)
      y = QuantizeLinear(a, s, z) }"""
    snapshot = on(text, tmp_path, target("4.0", "nominal"))
    epoch = next(epoch for epoch in snapshot.epochs if epoch.op == "Mul")
    assert epoch.milliseconds == pytest.approx(2.124, rel=0.02)
