"""Every edit that helps a layer, and the table of layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders.models import SAMPLES, save_text
from builders.shown_text import page_text

from npuscope.edits.edit import Exactness, Refusal
from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.edits.kinds.recentre import Recentre
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.machine.machine import target
from npuscope.model.brief import BriefNames, Names, brief_names
from npuscope.model.load import load
from npuscope.npu.verdict import Placement
from npuscope.planning.cut import CutTimes, PricedCut, cut
from npuscope.planning.outcome import Outcome
from npuscope.planning.plan import Step
from npuscope.planning.proposals import Preview
from npuscope.planning.ranked_fixes import propose_edits
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse
from npuscope.tui.screens.fixes.screen import FixesScreen
from npuscope.tui.screens.fixes.text import fix_line
from npuscope.tui.screens.layers.screen import LayersScreen
from npuscope.tui.screens.plan.text import step_lines
from npuscope.tui.screens.split.screen import SplitScreen
from npuscope.tui.screens.split.text import comparison, exactness_of
from npuscope.widgets.bars.key_bar import KeyBar
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.lists.fix_lines import edit_names, fix_hints, without_layer
from npuscope.widgets.lists.layer_table import LayerTable
from npuscope.widgets.panes.eligibility import Eligibility
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.figures import milliseconds
from npuscope.widgets.text.spans import length, plain


async def open_fixes(pilot: Any, layer: str, settle: Any) -> Any:
    pilot.app.graph_tree.go_to_layer(layer)
    await pilot.press("f")
    await settle(pilot)
    assert isinstance(pilot.app.screen, FixesScreen)
    return pilot.app.screen


async def test_the_best_fix_is_one_enter_away(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        screen = await open_fixes(pilot, "Gemm_28", settle)
        fixes = screen.fixes
        assert len(fixes) >= 3
        assert all(fix.after is Placement.HW for fix in fixes[:3])
        assert {fix.exactness for fix in fixes} >= {Exactness.BIT_EXACT, Exactness.APPROXIMATE}
        text = page_text(screen)
        assert "✗ CPU" in text
        assert "● NPU" in text
        assert "with memory" in text
        before = next(line for line in text.splitlines() if line.startswith("with memory")).split()
        assert before[2] == "·", "the compiler's estimate for the CPU is no cycles of the NPU"
        await pilot.press("enter")
        await settle(pilot)
        assert pilot.app.session.done == (fixes[0].edit,)
        assert "Gemm_28" not in {report.name for report in pilot.app.snapshot.off_npu}
        await pilot.press("u")
        await settle(pilot)
        assert pilot.app.session.done == ()


async def test_a_fix_that_takes_scales_is_calibrated(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        screen = await open_fixes(pilot, "Gemm_28", settle)
        at = next(i for i, fix in enumerate(screen.fixes) if isinstance(fix.edit, SplitInput))
        await pilot.press(*["down"] * at)
        assert "runs of the model" in page_text(screen)
        await pilot.press("enter")
        await settle(pilot)
        (edit,) = pilot.app.session.done
        assert isinstance(edit, SplitInput)
        assert edit.scales


async def test_fixes_say_where_nothing_helps(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        screen = await open_fixes(pilot, "Sigmoid_33", settle)
        assert screen.fixes == ()
        assert "no edit makes it faster" in page_text(screen)
        assert [hint.key for hint in screen.query_one(KeyBar).hints] == ["b", "L", "Esc"], (
            "it has no weights to split"
        )
        await pilot.press("enter", "escape", "home", "f")
        assert not isinstance(pilot.app.screen, FixesScreen), "the whole model is no layer"


async def test_from_the_fixes_to_a_split_by_hand(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        await open_fixes(pilot, "Gemm_28", settle)
        await pilot.press("s")
        await settle(pilot)
        assert isinstance(pilot.app.screen, SplitScreen)


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (20, 6)])
async def test_fixes_fit(size: tuple[int, int], denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, size) as pilot:
        screen = await open_fixes(pilot, "Gemm_28", settle)
        choices, page = screen.query_one(Choices), screen.query_one(Page)
        for i in range(choices.count):
            assert length(choices.body(i, choices.line_width)) <= max(choices.line_width, 51)
        assert all(
            length(page.body(i, page.line_width)) <= max(page.line_width, 44) for i in range(page.count)
        )


def test_an_edit_of_a_known_layer_does_not_name_it() -> None:
    assert without_layer(PadChannels("Gemm_28", 264)) == "pad inputs to 264 channels"
    assert without_layer(SplitOutput("Gemm_28", (512, 512))) == "split outputs as 512+512"
    assert without_layer(SplitOutput(" as ", (1, 2))).endswith("1+2")
    assert fix_hints((), 60) == []


@pytest.mark.parametrize(("width", "end"), [(70, "approx."), (45, "● approx"), (39, "● ≈"), (30, "● ≈")])
def test_words_on_the_numbers_give_way_before_what_an_edit_does(width: int, end: str) -> None:
    nothing = (None, None)
    preview = Preview(
        Recentre("Gemm_30", 0), Placement.HW, Placement.HW, nothing, nothing, nothing, nothing, (), ()
    )
    (text,) = map(plain, fix_hints((preview,), width))
    assert ("re-centre input to zero point 0" in text) is (width > 30)
    assert text.rstrip().endswith(end) and len(text) <= width


async def test_layers_sort_by_any_column(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (200, 50)) as pilot:
        await pilot.press("L")
        await settle(pilot)
        assert isinstance(pilot.app.screen, LayersScreen)
        table = pilot.app.screen.query_one(LayerTable)
        seen = set()
        for _ in range(13):
            title = table.by.title
            seen.add(title)
            known = [v for r in table.reports if (v := table.by.order(r, pilot.app.snapshot)) is not None]
            assert known == sorted(known, reverse=table.by.largest_first), title
            await pilot.press("right")
        assert seen >= {
            "#",
            "layer",
            "op",
            "where",
            "time",
            "%",
            "gain",
            "cycles",
            "MAC/c",
            "weights",
            "bound by",
        }
        first = table.reports[0]
        await pilot.press("r")
        assert table.reports[-1].cost.milliseconds == first.cost.milliseconds  # type: ignore[union-attr]
        await pilot.press("r", "down", "enter")
        await settle(pilot)
        assert not isinstance(pilot.app.screen, LayersScreen)
        assert pilot.app.graph_tree.layer_name == table.reports[1].name


async def test_a_table_of_many_layers_opens_at_once(
    make_chain: Callable[..., Path], explore: Any, settle: Any
) -> None:
    async with explore(make_chain([f"layer_{i}" for i in range(2000)])) as pilot:
        await pilot.press("L")
        await settle(pilot)
        table = pilot.app.screen.query_one(LayerTable)
        made = []
        original = table.body
        table.body = lambda index, width: (made.append(index), original(index, width))[1]  # type: ignore[method-assign,func-returns-value]
        await pilot.press("end")
        await settle(pilot)
        assert table.cursor == 1999
        assert len(set(made)) < 100, "only what is seen is made"


async def test_the_pane_names_the_best_fixes(denoiser: Path, explore: Any, settle: Any) -> None:
    for size in ((80, 24), (120, 40)):
        async with explore(denoiser, size) as pilot:
            await pilot.press("n", "n")
            await settle(pilot)
            pane = pilot.app.query_one(Eligibility)
            lines = [plain(pane.body(i, pane.line_width)) for i in range(pane.count)]
            at = next(i for i, line in enumerate(lines) if line.startswith("f  "))
            assert "exact" in lines[at]
            assert "split inputs" in lines[at + 2]
            assert all(len(line) <= pane.line_width for line in lines[at : at + 3])
            assert pilot.app.selection.fixes
            await pilot.press("down", "up")
            await settle(pilot)
            assert pilot.app.selection.fixes, "remembered"
            again = [plain(pane.body(i, pane.line_width)) for i in range(pane.count)]
            assert again == lines, "and named again"


async def test_a_fault_in_a_proposal_costs_no_session(
    denoiser: Path, explore: Any, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("[b]ours")

    for module in ("npuscope.planning.ranked_fixes", "npuscope.tui.screens.fixes.screen"):
        monkeypatch.setattr(f"{module}.propose_edits", broken)
    async with explore(denoiser) as pilot:
        screen = await open_fixes(pilot, "Gemm_28", settle)
        assert "[b]ours" in page_text(screen)
        await pilot.press("enter", "escape", "n")
        await settle(pilot)
        assert pilot.app.return_code is None


@pytest.mark.parametrize("size", [(80, 24), (20, 6)])
async def test_names_are_shown_never_obeyed(
    size: tuple[int, int], make_chain: Callable[..., Path], explore: Any, settle: Any
) -> None:
    names = ["[bold red]x[/]", "[/nonsense", "\x1b[31mred", "x" * 3000, "名前" * 60, "שלום"]
    async with explore(make_chain(names), size) as pilot:
        pilot.app.graph_tree.go_to_layer(next(iter(pilot.app.graph_tree.outline.position)))
        for key in (
            "f",
            "escape",
            "L",
            "right",
            "end",
            "escape",
            "b",
            "tab",
            "escape",
            "m",
            "space",
            "escape",
        ):
            await pilot.press(key)
            await settle(pilot)
            assert "\x1b[31m" not in pilot.app.export_screenshot()


async def test_the_pane_and_the_list_of_fixes_state_one_time(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, (120, 40)) as pilot:
        await pilot.press("n", "n")
        await settle(pilot)
        selection = pilot.app.selection
        assert len(selection.outcomes) == len(selection.fixes) > 0
        pane = pilot.app.query_one(Eligibility)
        lines = [plain(pane.body(i, pane.line_width)) for i in range(pane.count)]
        at = next(i for i, line in enumerate(lines) if line.startswith("f  "))
        screen = await open_fixes(pilot, selection.report.name, settle)
        for number, (fix, made) in enumerate(zip(selection.fixes, selection.outcomes, strict=True)):
            assert screen.outcomes[fix.edit] == made
            assert milliseconds(made.milliseconds) in lines[at + number]


LINEAR = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,4,4] x) => (int8[1,2,8,8] y) <float s = {0.1}, int8 z = {5}, float[4] k = {1, 1, 2, 2}>
{ f = DequantizeLinear(x, s, z)
  [op] r = Resize <mode = "linear", coordinate_transformation_mode = "half_pixel"> (f, , k)
  y = QuantizeLinear(r, s, z) }"""


def test_an_approximate_edit_gives_its_own_reason(tmp_path: Path) -> None:
    session = Session.open(load(save_text(LINEAR, tmp_path / "m.onnx")), target("4.0"))
    snapshot = analyse(session)
    (fix,) = propose_edits(session, snapshot, "op", 8)
    text = " ".join(plain(each).strip() for each in comparison(fix, snapshot.by_name["op"], 90))
    assert "approximate: each value becomes an element nearby" in text and "partial sums" not in text
    assert (
        exactness_of(SplitInput("a", (1, 2)))[1] == "each partial sum is rounded once more; v shows how much"
    )
    assert "exact on integers" in exactness_of(SplitOutput("a", (1, 2)))[1]


def test_layers_beside_others_claim_no_cycles(tmp_path: Path) -> None:
    session = Session.open(load(save_text(LINEAR, tmp_path / "m.onnx")), target("4.0"))
    snapshot = analyse(session)
    (fix,) = propose_edits(session, snapshot, "op", 8)
    made = Outcome(0.008, 0, 40.0, 30.0)
    rows = [plain(each) for each in comparison(fix, snapshot.by_name["op"], 90, None, made)]
    row = next(row for row in rows if row.startswith("with memory"))
    assert row.split()[2:] == ["·", "·", "runs", "beside", "others"]
    assert " 0 " not in plain(fix_line(fix, edit_names([fix]), 90, None, made))


SOFTMAX = "/block/attn/Softmax"


async def test_a_layer_without_a_fix_that_a_cut_leaves_to_the_cpu(
    explore: Any, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def proposed(session: Session, snapshot: Snapshot, *_: Any) -> PricedCut:
        before = snapshot.by_name[SOFTMAX].layer.inputs[0].tensor
        made = cut(session, [before])
        assert isinstance(made, Refusal), "a residual goes around it"
        made = cut(session, [before, *made.hint.split(": ")[1].split(" ")])
        assert not isinstance(made, Refusal)
        return PricedCut(made, CutTimes(3.0, 1.0, 1.5))

    monkeypatch.setattr("npuscope.tui.screens.fixes.screen.propose_cut", proposed)
    async with explore(SAMPLES / "attention_block_int8.onnx") as pilot:
        screen = await open_fixes(pilot, SOFTMAX, settle)
        assert screen.fixes == () and screen.saved_by_cut == "saves 0.50 ms"
        assert "C cuts the model: this layer goes into a tail" in " ".join(page_text(screen).split())


@pytest.mark.parametrize("width", [38, 44, 50, 60])
def test_edits_in_a_list_differ_at_every_width(width: int) -> None:
    """Padded counts and zero points differ in a figure: it stays, whatever is cut."""
    edits = [
        *(PadChannels("Gemm_28", count) for count in (258, 264, 272, 2580)),
        *(SplitInput("Gemm_28", parts) for parts in ((129, 128), (144, 113))),
    ]
    none = (None, None)
    fixes = [Preview(edit, Placement.SW_INT, Placement.HW, none, none, none, none, (), ()) for edit in edits]
    seen = [plain(fix_line(fix, edit_names(fixes), width)).partition(" ●")[0] for fix in fixes]
    assert len(set(seen)) == len(edits), seen


@pytest.mark.parametrize("width", [26, 30, 44, 60, 100])
def test_steps_of_a_plan_differ_at_every_width(width: int) -> None:
    """Cut alone, 'pad inputs of Gemm_28 to 258' and that of Conv2D_79 would both be 'pad inputs of …'."""
    edits = [PadChannels(layer, 258) for layer in ("Gemm_28", "Conv2D_79", "Conv2D_23")]
    steps = [
        Step(edit, edit.layer, edit.exactness, (Placement.SW_INT, Placement.HW), (None, None), 0.1, "")
        for edit in (*edits, SplitOutput("Conv2D_79", (129, 128)))
    ]
    brief = brief_names([step.layer for step in steps])
    names = BriefNames(brief, Names(brief.values()))
    rows = [plain(row).partition(" ●")[0] for row in step_lines(steps, (), width, names)]
    assert len(set(rows)) == len(steps), rows
    assert not any("~" in row for row in rows), "no number stands for a name"
