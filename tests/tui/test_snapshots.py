"""What the screens look like. Figures are made up here, so that only a change of looks changes a picture.

After a wanted change: pytest tests/tui/test_snapshots.py --snapshot-update, then look at the pictures.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import textual

from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.machine.machine import target
from npuscope.model.layer import Layer
from npuscope.npu.cost import Cost, Epoch, Inserted, Memory, Pool, Tiling
from npuscope.npu.ledger import line_alone
from npuscope.npu.verdict import Finding, Placement, Severity
from npuscope.numbers.differences import OutputDifference
from npuscope.numbers.verify_models import Verification
from npuscope.numbers.verify_regions import LocalVerification, RegionDifference
from npuscope.planning.outcome import Outcome
from npuscope.planning.proposals import Preview
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot, Summary
from npuscope.tui.app import Npuscope
from npuscope.tui.screens.fixes.screen import FixesScreen
from npuscope.tui.screens.split.screen import SplitScreen
from npuscope.tui.screens.verify.screen import VerifyScreen

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11) or textual.__version__ != "8.2.8",
    reason="pictures are compared with one version of Python and of Textual",
)

TILING = Tiling("16x8", False, False, 4, 4, 16, 16, 64, True, 1)
TOO_MANY = Finding(
    "N201",
    Severity.ERROR,
    "257 input channels cannot be tiled",
    "257 is prime: 1 channel at a time takes 257 accumulation passes, the NPU counts at most 255.",
    "split the 257 input channels in two (s)",
    Placement.SW_INT,
)
ZERO_POINT = Finding(
    "N901", Severity.ADVICE, "input zero point 5 rules out 8x8 and Deep1x1", "Features are widened."
)


def report(layer: Layer, epoch: int) -> LayerReport:
    if layer.name in ("Conv2D_23", "Gemm_28", "Conv2D_79"):
        cost = Cost(263_168, 28_298, 28_298, 0.4, "cpu", weights_bytes=263_168)
        return made(layer, Placement.SW_INT, (TOO_MANY,), cost, epoch)
    if layer.kind == "Gemm":
        cost = Cost(262_144, 262_144, 1_572_864, 1.57, "octoFlash", ("weights",), TILING, 262_144)
        return made(layer, Placement.HW, (ZERO_POINT,), cost, epoch)
    if layer.kind == "Split":
        return made(layer, Placement.HYBRID, (), Cost(0, 1024, 1024, 0.001, "elements"), epoch)
    return made(layer, Placement.HW, (), Cost(0, 256, 256, 0.0003, "elements"), epoch)


def made(
    layer: Layer, placement: Placement, findings: tuple[Finding, ...], cost: Cost, epoch: int
) -> LayerReport:
    line = line_alone(layer.name, placement, cost, 800e6)
    return LayerReport(layer, placement, findings, cost, epoch, line)


def canned(session: Session, previous: Snapshot | None = None, keep: bool = False) -> Snapshot:
    """An analysis with made-up figures."""
    reports = tuple(report(layer, i) for i, layer in enumerate(session.layers.layers))
    on_cpu = sum(r.placement is Placement.SW_INT for r in reports)
    summary = Summary(
        len(reports), len(reports) - on_cpu - 2, 2, on_cpu, 0, 1_250_318, 1_247_490, 724_281, 5_190_907, 5.2,
        1_258_766, 3_840, 18, 13, 2, 3,
    )  # fmt: skip
    memory = Memory((Pool("npuRAM", 1 << 20, 3_840), Pool("octoFlash", 1 << 26, 1_258_766)), 1_258_766, 3_840)
    changed = frozenset[str]()
    if previous is not None and previous.graph is not session.graph:
        changed = frozenset(r.name for r in reports if r.name not in previous.by_name)
    before = previous.before if previous is not None else summary
    hw, cpu = Placement.HW, Placement.SW_INT
    added = (Inserted("QuantizeLinear", 257),)
    epochs = (
        Epoch(1, hw, "QuantizeLinear", (), 257, 257, 0.014, added, "start", 0.0135),
        Epoch(2, cpu, "Conv", ("Conv2D_23",), 28_298, 28_298, 0.4, (), "cpu"),
        Epoch(3, cpu, "Conv", ("Gemm_28",), 28_298, 28_298, 0.4, (), "cpu"),
        Epoch(4, hw, "Conv", ("Gemm_30", "Add_31"), 262_144, 1_572_864, 1.57, (), "octoFlash", 0.0135),
        Epoch(5, Placement.HYBRID, "Split", ("Split_32",), 1_024, 1_024, 0.05),
        Epoch(6, hw, "Conv", ("Gemm_74",), 65_792, 394_752, 0.28, (), "octoFlash", 0.0456),
        Epoch(7, cpu, "Conv", ("Conv2D_79",), 28_298, 28_298, 0.4, (), "cpu"),
        Epoch(8, hw, "Sigmoid", ("Sigmoid_82",), 257, 257, 0.014, (), "start", 0.0135),
    )
    figures = (reports, epochs, memory, summary, before, changed)
    return Snapshot(session.graph, session.target, *figures, folded=session.layers)


@pytest.fixture(autouse=True)
def no_gains(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fixes save is found by real analyses: it would change with the cost model."""
    monkeypatch.setattr("npuscope.planning.gains.weigh", lambda *_, **__: iter(()))


def previews(session: Session, snapshot: Snapshot, layer: str) -> tuple[Preview, ...]:
    """Two made-up proposals."""
    parts = snapshot.layers[3:5]
    good = Preview(
        SplitInput(layer, (144, 113)), Placement.SW_INT, Placement.HW, (None, 264_449), (None, 1_604_865),
        (0.4, 1.6), (None, 2.0), parts, (ZERO_POINT,),
    )  # fmt: skip
    none = (None, None)
    exact = replace(
        good, edit=SplitOutput(layer, (512, 512)), after=Placement.SW_INT, findings=(TOO_MANY,), compute_cycles=none,
        cycles=none, ops_per_cycle=none,
    )  # fmt: skip
    return good, exact


def judged_at_once(screen: FixesScreen, judged: tuple[Preview, ...]) -> None:
    """Made-up outcomes in place of analyses of the whole model."""
    for one, cycles in zip(judged, (1_604_865, None), strict=True):
        screen.outcomes[one.edit] = Outcome(1.6, cycles, 4.9, 4.0)


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    for controller in ("opener", "editor"):
        monkeypatch.setattr(f"npuscope.tui.controllers.{controller}.analyse", canned)
    monkeypatch.setattr("npuscope.tui.screens.toolchain.screen.analyse", canned)
    monkeypatch.setattr("npuscope.tui.screens.split.screen.propose_splits", previews)
    monkeypatch.setattr("npuscope.services.fix_hints.outcome", lambda *_: Outcome(1.6, 1_604_865, 4.9, 4.0))
    monkeypatch.setattr(
        "npuscope.planning.ranked_fixes.propose_edits", lambda s, n, layer, *_: previews(s, n, layer)
    )
    monkeypatch.setattr(
        "npuscope.tui.screens.fixes.screen.propose_edits", lambda s, n, layer, _: previews(s, n, layer)
    )
    monkeypatch.setattr(
        "npuscope.tui.screens.split.screen.preview", lambda s, n, edit: previews(s, n, edit.layer)[0]
    )
    monkeypatch.setattr("npuscope.tui.screens.help.screen.__version__", "0")


@pytest.fixture
def picture(snap_compare: Any, denoiser: Path, settle: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Compare the screen after some keys with the picture of it. No edit is tried on numbers: they come when they come."""
    monkeypatch.setattr(FixesScreen, "evaluate_whole_model", judged_at_once)
    monkeypatch.setattr(SplitScreen, "evaluate_whole_model", lambda *_: None)

    def compare(
        keys: str, size: tuple[int, int] = (120, 40), theme: str = "npuscope-dark", before: Any = None
    ) -> bool:
        async def prepare(pilot: Any) -> None:
            await settle(pilot)
            pilot.app.theme = theme
            for key in keys.split():
                await pilot.press(key)
                await settle(pilot)
            pilot.app.clear_notifications()
            if before is not None:
                await before(pilot)
            await settle(pilot)

        return bool(
            snap_compare(
                Npuscope(str(denoiser), target("2.1", "overdrive")), terminal_size=size, run_before=prepare
            )
        )

    return compare


@pytest.mark.parametrize("theme", ["npuscope-dark", "npuscope-light", "npuscope-contrast", "npuscope-16"])
def test_main_screen_in_each_theme(theme: str, picture: Any) -> None:
    assert picture("n n", theme=theme)


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (60, 15)])
def test_main_screen_in_each_layout(size: tuple[int, int], picture: Any) -> None:
    assert picture("n n", size)


def test_the_whole_model_and_an_open_layer(picture: Any) -> None:
    assert picture("n right home")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_split_screen(size: tuple[int, int], picture: Any) -> None:
    assert picture("n n s", size)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_fixes_screen(size: tuple[int, int], picture: Any) -> None:
    assert picture("n n f", size)


def test_after_an_edit(picture: Any) -> None:
    async def split(pilot: Any) -> None:
        pilot.app.make(SplitInput("Gemm_28", (144, 113)))

    assert picture("n n", before=split)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_epochs(size: tuple[int, int], picture: Any) -> None:
    assert picture("n n i", size)


@pytest.mark.parametrize("theme", ["npuscope-dark", "npuscope-light"])
def test_reasons(theme: str, picture: Any) -> None:
    assert picture("n n W right", (100, 30), theme)


def test_help(picture: Any) -> None:
    assert picture("question_mark", (80, 24))


def test_scales(picture: Any) -> None:
    assert picture("n n w", (80, 24))


def test_verify_result(picture: Any, settle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = (
        OutputDifference("mask", False, 3.0, 0.1, 42.8, 1.0, 0.0037, "quantization", 782, 2056),
        OutputDifference("state", True, 0.0, 0.0, None, 1.0, 0.0037, "quantization", 0, 2048),
    )
    whole_model = Verification(False, 42.8, outputs, 8, 0)
    place = RegionDifference(("Gemm_28",), (replace(outputs[0], name="sum"),))
    result = LocalVerification((place,), whole_model, 8, "model")
    monkeypatch.setattr(
        VerifyScreen, "compare", lambda screen, whole_model: screen.call_later(screen._finished, result)
    )

    async def split(pilot: Any) -> None:
        pilot.app.make(SplitInput("Gemm_28", (144, 113)))
        await settle(pilot)
        await pilot.press("v")

    assert picture("n n", (80, 24), before=split)
