"""Every time and every count of cycles that a screen shows is one of the ledger's; tests/test_one_truth.py holds those of layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from builders import computed_once
from builders.known_figures import FIGURE, Known

from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.planning.history import opened
from npuscope.widgets.text.figures import percent

SCREENS: dict[str, tuple[str, ...]] = {
    "main": (), "fixes": ("f",), "model fixes": ("home", "f"), "split": ("s",), "history": ("H",),
    "before, after": ("equals_sign",), "bounds": ("b",), "blocks": ("d",), "layers": ("L",), "memory": ("m", "space"),
    "reasons": ("W",), "by placement": ("W", "2"), "by gain": ("W", "4"), "epochs": ("i",), "toolchain": ("c",),
}  # fmt: skip

LAYER = "Gemm_28"


def shown(screen: Any) -> str:
    """The text of a screen; of a dialog that of its box."""
    lines = [strip.text for strip in screen._compositor.render_strips()]
    boxes = screen.query("#box")
    if not boxes:
        return "\n".join(lines)
    box = boxes.first().region
    return "\n".join(line[box.x : box.right] for line in lines[box.y : box.bottom])


async def test_every_figure_on_every_screen_is_of_the_ledger(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    """An edit was made, so that there is a before and an after, and things are left to do."""
    texts, known = dict[str, str](), Known()
    async with explore(denoiser, size=(160, 60)) as pilot:
        app = pilot.app
        known.add_plan(computed_once.plan(app.session, app.snapshot))
        await pilot.press("p")
        await settle(pilot)
        texts["plan"] = shown(app.screen)
        await pilot.press("escape")
        app.editor.make(PadChannels(LAYER, 258))
        await settle(pilot)
        for name, keys in SCREENS.items():
            app.main.graph_tree.go_to_layer(LAYER)
            await settle(pilot)
            for key in keys:
                await pilot.press(key)
                await settle(pilot)
            texts[name] = shown(app.screen)
            while app.screen is not app.main:
                await pilot.press("escape")
                await settle(pilot)
        before, after = opened(app.session), app.snapshot
        known.add_model(before)
        known.add_model(after)
        known.add_models(before, after)
        known.add_fixes(app.session, after, LAYER)
        known.add_targets(app.session)
    assert {name: found for name, text in texts.items() if (found := list(known.strange(text)))} == {}
    assert [name for name, text in texts.items() if not FIGURE.search(text)] == []
    off = sum(after.share(report) for report in after.off_npu)
    assert f"{percent(off)} % of the time" in texts["reasons"]
