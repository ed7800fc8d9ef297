"""The screens over the main one."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.shown_text import page_text

from npuscope.edits.edit import Exactness, Refusal
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.jobs import StoppedError
from npuscope.model.load import load
from npuscope.numbers.inputs import random_samples
from npuscope.planning.proposals import Preview
from npuscope.tui.screens.export.screen import ExportScreen
from npuscope.tui.screens.inputs.screen import InputsScreen
from npuscope.tui.screens.plan.screen import PlanScreen
from npuscope.tui.screens.quit.screen import QuitScreen
from npuscope.tui.screens.scales.screen import ChannelList, ScalesScreen
from npuscope.tui.screens.split.screen import SplitScreen
from npuscope.tui.screens.toolchain.screen import ToolchainScreen
from npuscope.tui.screens.verify.screen import VerifyScreen
from npuscope.widgets.bars.entry import Entry
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.text.spans import plain


async def split_screen(pilot: Any, layer: str, settle: Any) -> Any:
    pilot.app.graph_tree.go_to_layer(layer)
    await pilot.press("s")
    await settle(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, SplitScreen)
    return screen


async def test_split_proposes_and_the_arrows_choose(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        screen = await split_screen(pilot, "Gemm_28", settle)
        entry, choices = screen.query_one(Entry), screen.query_one(Choices)
        assert choices.count > 3
        assert choices.cursor == 0, "the best one is taken over at once"
        first = screen.result
        assert isinstance(first, Preview)
        assert first.after.value == "hw"
        assert entry.value == "+".join(map(str, first.edit.sizes))  # type: ignore[attr-defined]
        await pilot.press("down")
        second = screen.result
        assert isinstance(second, Preview)
        assert second is not first
        assert choices.cursor == 1
        await pilot.press("up", "up", "enter")
        await settle(pilot)
        (edit,) = pilot.app.session.done
        assert (edit.layer, edit.sizes) == ("Gemm_28", first.edit.sizes)  # type: ignore[attr-defined]


async def test_split_previews_as_one_types(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        screen = await split_screen(pilot, "Gemm_28", settle)
        await pilot.press("ctrl+u", *"14")
        await settle(pilot)
        assert isinstance(screen.result, Preview), "14 equal parts"
        assert len(screen.result.edit.sizes) == 14  # type: ignore[attr-defined]
        assert screen.query_one(Choices).cursor == screen.query_one(Choices).count - 1, (
            "what was typed is listed"
        )
        await pilot.press("4", "plus")
        await settle(pilot)
        assert isinstance(screen.result, Refusal)
        assert "✗" in page_text(screen)
        await pilot.press("enter")
        assert pilot.app.screen is screen, "what is refused is not applied"
        await pilot.press(*"113")
        await settle(pilot)
        assert isinstance(screen.result, Preview)
        assert screen.result.edit == SplitInput("Gemm_28", (144, 113))
        text = page_text(screen)
        assert "✗ CPU" in text
        assert "● NPU" in text
        assert "OPS/cycle" in text
        await pilot.press("tab")
        await settle(pilot)
        assert isinstance(screen.result, Preview), "144+113 is not 1024: a proposal for these takes its place"
        assert screen.result.edit == SplitOutput("Gemm_28", (512, 512))
        await pilot.press("ctrl+u", *"256", "plus", *"768", "tab")
        await settle(pilot)
        assert screen.query_one(Entry).value == "144+113", "what was written for each stays"
        await pilot.press("tab")
        await settle(pilot)
        assert screen.query_one(Entry).value == "256+768"
        await pilot.press("ctrl+u", "x", "2")
        await settle(pilot)
        assert isinstance(screen.result, Preview)
        assert screen.result.edit == SplitOutput("Gemm_28", (512, 512))
        assert "bit-exact" in page_text(screen)
        await pilot.press("escape")
        assert pilot.app.session.done == ()


async def test_enter_before_the_preview_is_there_still_applies(
    denoiser: Path, explore: Any, settle: Any, until: Any
) -> None:
    async with explore(denoiser) as pilot:
        await split_screen(pilot, "Gemm_28", settle)
        await pilot.press("tab", "ctrl+u", "x", "2", "enter")
        await until(pilot, lambda: pilot.app.session.done)  # the preview comes from a thread, on a timer
        assert pilot.app.session.done == (SplitOutput("Gemm_28", (512, 512)),)


async def test_a_layer_without_weights_says_why_it_cannot_be_split(denoiser: Path, explore: Any) -> None:
    async with explore(denoiser) as pilot:
        pilot.app.graph_tree.go_to_layer("Sigmoid_33")
        await pilot.press("s")
        assert not isinstance(pilot.app.screen, SplitScreen)
        assert any("Sigmoid_33" in notification.message for notification in pilot.app._notifications)


async def test_a_running_verify_stops(
    denoiser: Path, explore: Any, settle: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import npuscope.numbers.verify_regions

    stopped: list[bool] = []

    def slow(*_: Any, job: Any, **__: Any) -> None:
        for done in itertools.count():
            job.report(done, 10_000)
            try:
                job.check()
            except StoppedError:
                stopped.append(True)
                raise
            time.sleep(0.01)

    monkeypatch.setattr(npuscope.numbers.verify_regions, "verify_local", slow)
    async with explore(denoiser) as pilot:
        pilot.app.make(SplitOutput("Gemm_30", (512, 512)))
        await settle(pilot)
        await pilot.press("v")
        screen = pilot.app.screen
        assert isinstance(screen, VerifyScreen)
        await until(pilot, lambda: "of 10000 runs" in page_text(screen))
        await pilot.press("escape")
        await until(pilot, lambda: stopped)  # a thread finds it out where it asks next
        await settle(pilot)
        assert not isinstance(pilot.app.screen, VerifyScreen)
        assert len(pilot.app.session.done) == 1


async def test_verify_of_an_exact_edit(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        await pilot.press("v")
        assert not isinstance(pilot.app.screen, VerifyScreen), "without edits there is nothing to verify"
        pilot.app.make(SplitOutput("Gemm_30", (512, 512)))
        await settle(pilot)
        await pilot.press("v")
        await settle(pilot)
        assert "bit-exact" in page_text(pilot.app.screen)
        await pilot.press("b")
        assert pilot.app.screen.blamed is None, "nothing differs, nobody is to blame"


async def test_verify_names_the_place_and_the_edit_to_blame(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser) as pilot:
        for edit in (SplitOutput("Gemm_30", (512, 512)), SplitInput("Gemm_51", (200, 56))):
            pilot.app.make(edit)
            await settle(pilot)
        await pilot.press("v")
        await settle(pilot)
        text = page_text(pilot.app.screen)
        assert "not bit-exact" in text and "edited spot" in text
        assert "Gemm_30" in text and "Gemm_51" in text
        await pilot.press("b")
        await settle(pilot)
        assert "edit 2, split inputs of Gemm_51 as 200+56, is the first" in page_text(pilot.app.screen)
        await pilot.press("e")
        await settle(pilot)
        assert isinstance(pilot.app.screen, ExportScreen)


async def test_verify_runs_on_samples_of_the_users(
    denoiser: Path, tmp_path: Path, explore: Any, settle: Any
) -> None:
    samples = random_samples(load(denoiser), 3)
    np.savez(tmp_path / "held.npz", **{name: np.stack([s[name] for s in samples]) for name in samples[0]})
    async with explore(denoiser) as pilot:
        pilot.app.make(SplitInput("Gemm_51", (200, 56)))
        await settle(pilot)
        await pilot.press("v")
        await settle(pilot)
        screen = pilot.app.screen
        await pilot.press("i")
        await settle(pilot)
        asked = pilot.app.screen
        assert isinstance(asked, InputsScreen)
        asked.query_one(Entry).input.value = str(tmp_path / "none.npz")
        await pilot.press("enter")
        await settle(pilot)
        assert "no such file" in " ".join(page_text(asked).split())
        asked.query_one(Entry).input.value = str(tmp_path / "held.npz")
        await pilot.press("enter")
        await settle(pilot)
        assert pilot.app.screen is screen
        assert screen.result.samples == 3
        assert "held.npz" in page_text(screen)
        assert pilot.app.document.inputs == str(tmp_path / "held.npz")


async def test_a_fix_that_is_not_exact_is_tried_on_numbers(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        pilot.app.graph_tree.go_to_layer("Gemm_28")
        await pilot.press("f")
        await settle(pilot)
        screen = pilot.app.screen
        inexact = [fix.edit for fix in screen.fixes if fix.exactness is not Exactness.BIT_EXACT]
        assert inexact and set(screen.prices) == set(inexact)
        await pilot.press(*["down"] * [fix.edit for fix in screen.fixes].index(inexact[0]))
        assert "1 step off at most" in page_text(screen).replace("\N{NO-BREAK SPACE}", " ")


async def test_export_asks_before_it_replaces(
    denoiser: Path, tmp_path: Path, explore: Any, settle: Any
) -> None:
    there = tmp_path / "there.onnx"
    there.write_text("mine")
    async with explore(denoiser) as pilot:
        pilot.app.make(SplitOutput("Gemm_30", (512, 512)))
        await settle(pilot)
        await pilot.press("e")
        screen = pilot.app.screen
        assert isinstance(screen, ExportScreen)
        assert screen.query_one(Entry).value.endswith("denoiser_lstm_int8_fixed.onnx")
        screen.query_one(Entry).input.value = str(there)
        await pilot.press("enter")
        await settle(pilot)
        assert there.read_text() == "mine"
        assert "exists" in page_text(screen)
        await pilot.press("ctrl+r")
        await settle(pilot)
        assert there.stat().st_size > 1000
        await pilot.press("enter")
        await settle(pilot)
        assert not pilot.app.session.unexported


@pytest.mark.parametrize("path", ["/nowhere/x.onnx", "{folder}", "{model}"])
async def test_an_export_that_fails_says_why(
    path: str, denoiser: Path, tmp_path: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser) as pilot:
        pilot.app.make(SplitOutput("Gemm_30", (512, 512)))
        await settle(pilot)
        await pilot.press("e")
        screen = pilot.app.screen
        screen.query_one(Entry).input.value = path.format(folder=tmp_path, model=denoiser)
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(screen.result, str)  # type: ignore[attr-defined]
        assert "✗" in page_text(screen)
        await pilot.press("escape")
        assert pilot.app.session.unexported


async def test_quit_asks_where_edits_would_be_lost(
    denoiser: Path, tmp_path: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser) as pilot:
        pilot.app.make(SplitOutput("Gemm_30", (512, 512)))
        await settle(pilot)
        await pilot.press("q")
        assert isinstance(pilot.app.screen, QuitScreen)
        await pilot.press("escape")
        assert pilot.app.return_code is None
        await pilot.press("q", "y")
        assert isinstance(pilot.app.screen, ExportScreen)
        pilot.app.screen.query_one(Entry).input.value = str(tmp_path / "out.onnx")
        await pilot.press("enter")
        await settle(pilot)
        assert (tmp_path / "out.onnx").exists()
        await pilot.press("enter")
        await settle(pilot)
        assert pilot.app.return_code == 0


async def test_quit_anyway(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        pilot.app.make(SplitOutput("Gemm_30", (512, 512)))
        await settle(pilot)
        await pilot.press("q", "q")
        await settle(pilot)
        assert pilot.app.return_code == 0


async def test_the_toolchain_changes_the_verdict(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        await pilot.press("c")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, ToolchainScreen)
        lines = [plain(screen.query_one(Choices).body(i, 66)) for i in range(10)]
        assert all("ms" in line for line in lines)
        await pilot.press("down", "enter")
        await settle(pilot)
        assert pilot.app.session.target.toolchain.version == "2.2"
        assert pilot.app.snapshot.target is pilot.app.session.target
        assert "Core 2.2" in plain(pilot.app.query_one("StatusLine").bar(118))


async def test_scales_of_every_channel(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        pilot.app.graph_tree.go_to_layer("Add_31")
        await pilot.press("w")
        assert not isinstance(pilot.app.screen, ScalesScreen)
        pilot.app.graph_tree.go_to_layer("Gemm_28")
        await pilot.press("w")
        screen = pilot.app.screen
        assert isinstance(screen, ScalesScreen)
        assert screen.query_one(ChannelList).count == 1024
        assert "median" in page_text(screen)
        await pilot.press("tab", "end")
        await settle(pilot)
        await pilot.press("w")
        assert not isinstance(pilot.app.screen, ScalesScreen)


async def test_a_plan_leaves_nothing_in_software(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        await pilot.press("p")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, PlanScreen)
        plan = screen.plan
        assert plan is not None
        assert plan.steps
        assert screen.taken == frozenset(range(len(plan.steps)))
        await pilot.press("space")
        await settle(pilot)
        assert 0 not in screen.taken
        assert all(0 not in plan.with_needed([i]) for i in screen.taken)
        await pilot.press("a")
        await settle(pilot)
        assert len(screen.taken) == len(plan.steps)
        await pilot.press("enter")
        await settle(pilot)
        assert pilot.app.snapshot.summary.on_cpu == plan.after.on_cpu == 0
        assert pilot.app.snapshot.summary.off_npu == plan.after.off_npu
        assert len(pilot.app.session.done) == len(plan.steps)
        await pilot.press("u")
        await settle(pilot)
        assert len(pilot.app.session.done) == len(plan.steps) - 1


async def test_a_search_for_a_plan_stops(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        await pilot.press("p", "tab", "escape")
        await settle(pilot)
        assert not isinstance(pilot.app.screen, PlanScreen)
        assert pilot.app.session.done == ()


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("M", "Channel counts belong to a layer: select one."),
        ("w", "Scales belong to a layer: select one."),
        ("y", "Copied: what the panes say about the whole model."),
    ],
)
async def test_a_key_for_layers_says_so_of_the_whole_model(
    key: str, message: str, denoiser: Path, explore: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with explore(denoiser) as pilot:
        messages: list[str] = []
        monkeypatch.setattr(pilot.app.main, "show_message", lambda text, *_, **__: messages.append(text))
        await pilot.press("home", key)
        assert messages == [message]
