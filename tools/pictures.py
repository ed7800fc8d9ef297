"""Draw every screen in every theme at three sizes: `make pictures`, or one by name: tools/pictures.py blocks.

They go to build/pictures as SVG; the few that the README shows go to docs/images.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from textual.worker import WorkerCancelled

from npuscope.edits.kinds.split_input import SplitInput
from npuscope.files import journal, recent
from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.session import Session
from npuscope.themes import THEMES
from npuscope.tui.app import Npuscope

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from builders.artefacts.tool_files import LOG, REPORT

MODEL = ROOT / "sample_models" / "denoiser_lstm_int8.onnx"
FLOAT = ROOT / "sample_models" / "denoiser_lstm_float.onnx"
BRANCHES = ROOT / "sample_models" / "mobilenet_mini_int8.onnx"
FOLDER = ROOT / "build" / "pictures"
SIZES = ((80, 24), (120, 40), (200, 50))


@dataclass(frozen=True)
class Shot:
    """A screen: the keys that lead to it, whether an edit is made first, and a model other than the denoiser.

    `left`: the model is opened again after a session that ended with an edit. `tools`: what ST's tools wrote of it is
    opened, too. `beside`: another model is. `settings`: the keys of the user's settings; what is said of them is kept.
    """

    name: str
    keys: str = ""
    edited: bool = False
    model: Path = MODEL
    left: bool = False
    tools: bool = False
    beside: Path | None = None
    settings: tuple[tuple[str, str], ...] = ()


SHOTS = (
    Shot("main"),
    Shot("layer", "n n"),
    Shot("node", "n n right down right down"),
    Shot("neighbourhood", "right_curly_bracket 4"),
    Shot("trace", "n n right_square_bracket right_square_bracket T n T"),
    Shot("trace-blocks", "right_curly_bracket T right_curly_bracket T d", model=BRANCHES),
    Shot("trace-layers", "n n T T L"),
    Shot("enlarged", "n n 4 plus"),
    Shot("edited", "n", edited=True),
    Shot("fixes", "n n f"),
    Shot("split", "n n s"),
    Shot("plan", "p"),
    Shot("history", "H", edited=True),
    Shot("before-after", "equals_sign", edited=True),
    Shot("cut", "C"),
    Shot("cut-here", "end up up C tab"),
    Shot("verify", "v", edited=True),
    Shot("export", "e", edited=True),
    Shot("export-written", "e enter", edited=True),
    Shot("blocks", "d", model=BRANCHES),
    Shot("bounds", "b"),
    Shot("roofline", "b tab"),
    Shot("memory", "m"),
    Shot("epochs", "i"),
    Shot("rule", "n x"),
    Shot("scales", "n n w"),
    Shot("toolchain", "c"),
    Shot("open", "o"),
    Shot("found", "o i n t 8"),
    Shot("jump", "J"),
    Shot("agreement", "a", tools=True),
    Shot("agreement-files", "a 4", tools=True),
    Shot("no-agreement", "a"),
    Shot("difference", beside=FLOAT),
    Shot("inputs", "v i", edited=True),
    Shot("settings", settings=(("fixes", "F"), ("plan", "ctrl+d"))),
    Shot("help", "question_mark"),
    Shot("search", "slash g e m m"),
    Shot("model-fixes", "f"),
    Shot("channels", "n n M"),
    Shot("values", "n n V"),
    Shot("accuracy", "A enter"),
    Shot("marks", "n n semicolon a apostrophe"),
    Shot("palette", "ctrl+p"),
    Shot("build-options", "B"),
    Shot("quit", "q", edited=True),
    Shot("as-int8", "I", model=FLOAT),
    Shot("quantize", "Q", model=FLOAT),
    Shot("no-model", "escape", model=ROOT / "not there.onnx"),
    Shot("restore", left=True),
)
"""The table of layers and the reasons are shown by action below: their keys may be moved."""

BY_ACTION = {"layers": "screen.layers", "reasons": "screen.reasons"}

README = {
    "explorer": ("layer", (120, 34)),
    "blocks": ("blocks", (110, 28)),
    "before-after": ("before-after", (110, 22)),
}
"""docs/images/NAME.svg -> the shot and its size; dark theme."""


async def draw(shot: Shot, size: tuple[int, int], themes: tuple[str, ...]) -> dict[str, str]:
    """A picture of a screen in each of some themes."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / shot.model.name
        for file in (shot.model, FLOAT):
            if file.exists():
                shutil.copy(file, folder)
        os.environ["XDG_STATE_HOME"] = folder
        recent.remember(Path(folder) / FLOAT.name)
        recent.remember(model)
        paths = []
        for name, text in (("report.txt", REPORT), ("lowering.log", LOG)) if shot.tools else ():
            paths.append(Path(folder) / name)
            paths[-1].write_text(text, "utf-8")
        if shot.left:
            edited = Session.open(load(model), target("2.1")).edit(SplitInput("Gemm_28", (144, 113)))
            assert isinstance(edited, Session)
            journal.write(edited)
        beside = [*paths, *([shot.beside] if shot.beside is not None else [])]
        app = Npuscope(str(model), target("2.1"), [str(path) for path in beside])
        app.use_keys(dict(shot.settings))
        async with app.run_test(size=size, notifications=bool(shot.settings)) as pilot:

            async def rest() -> None:
                for _ in range(3):
                    await pilot.pause(0.05)
                    running = [worker for worker in app.workers if not worker.is_finished]
                    with suppress(WorkerCancelled):  # by what came after it
                        await app.workers.wait_for_complete(running)
                await pilot.pause(0.1)

            app.theme = themes[0]
            await rest()
            if shot.edited:
                app.editor.apply([SplitInput("Gemm_28", (144, 113))], "split inputs of Gemm_28 as 144+113")
                await rest()
            if shot.name in BY_ACTION:
                await app.run_action(BY_ACTION[shot.name])
            for key in shot.keys.split():
                await pilot.press(key)
                await rest()
            await rest()
            if not shot.settings:
                app.clear_notifications()
            drawings = {}
            for theme in themes:
                app.theme = theme
                await pilot.pause(0.1)
                drawings[theme] = app.export_screenshot(title="npuscope")
            return drawings


async def main(names: list[str]) -> None:
    """All pictures, or those of some screens."""
    shots = (*SHOTS, *(Shot(name) for name in BY_ACTION))
    themes = tuple(theme.name for theme in THEMES)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for shot in shots:
        if names and shot.name not in names:
            continue
        # Textual's palette keeps the colours that it opened with.
        at_once = [(theme,) for theme in themes] if shot.name == "palette" else [themes]
        for size, some in product(SIZES, at_once):
            for theme, picture in (await draw(shot, size, some)).items():
                name = f"{shot.name}-{size[0]}x{size[1]}-{theme.removeprefix('npuscope-')}.svg"
                (FOLDER / name).write_text(picture, "utf-8")
        print(shot.name, flush=True)
    by_name = {shot.name: shot for shot in shots}
    for name, (shot_name, size) in README.items():
        if not names or shot_name in names:
            picture = (await draw(by_name[shot_name], size, (themes[0],)))[themes[0]]
            (ROOT / "docs" / "images" / f"{name}.svg").write_text(picture, "utf-8")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
