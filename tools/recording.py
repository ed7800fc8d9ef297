"""Record the case's story from the program itself: `make recording` writes docs/images/story.svg.

Each frame is a screen of the explorer, reached by the keys a user presses. With a folder as argument, the frames go there
too, each as an SVG that stands still.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from animation import Shown, animated
from textual.pilot import Pilot
from textual.worker import WorkerCancelled

from npuscope.machine.machine import target
from npuscope.themes import THEMES
from npuscope.tui.app import Npuscope

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "sample_models" / "denoiser_lstm_int8.onnx"
PLACE = ROOT / "docs" / "images" / "story.svg"
SIZE = (104, 30)
MOST_BYTES = 400_000
POSTER = 1


@dataclass(frozen=True)
class Step:
    """Keys, what is said of what they show, and how many seconds it stands."""

    keys: str
    written: str
    caption: str
    seconds: float = 3.5


STORY = (
    Step("", "npuscope denoiser.onnx", "Three layers are not on the NPU."),
    Step(
        "full_stop", ".", "The hottest of them: a Gemm with 257 inputs. 257 is prime, so no tiling fits.", 4.5
    ),
    Step("W", "W", "Every reason once, with the layers it holds for."),
    Step("escape f", "f", "Edits that help, each with where it runs then, what it saves and what it costs."),
    Step("escape s", "s", "Or by hand: a split of the 257 inputs."),
    Step("1 4 4 plus 1 1 3", "144+113", "What is typed is judged at once.", 3),
    Step("enter", "Enter", "The layer is on the NPU. The header keeps before and after."),
    Step("equals_sign", "=", "Before and after on one scale: epoch by epoch.", 4),
    Step("escape v", "v", "Both models run on the same inputs: the error at every output."),
    Step("escape e", "e", "The edited model goes beside the original,"),
    Step("enter", "Enter", "and is checked: by onnx, by its shapes, and by onnxruntime.", 4.5),
)


async def rest(app: Npuscope, pilot: Pilot[int]) -> None:
    """Until nothing runs any more."""
    for _ in range(4):
        await pilot.pause(0.05)
        for worker in [worker for worker in app.workers if not worker.is_finished]:
            with contextlib.suppress(WorkerCancelled):
                await worker.wait()
    await pilot.pause(0.1)


async def record(story: tuple[Step, ...]) -> list[Shown]:
    """The frames of a story, in a folder of its own."""
    frames = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(HOME=folder, XDG_STATE_HOME=folder, XDG_CONFIG_HOME=folder)
        os.chdir(folder)
        # The screens show paths: of the folder only its last part would be the same tomorrow.
        app = Npuscope(Path(shutil.copy(MODEL, "denoiser.onnx")).name, target("2.1"))
        async with app.run_test(size=SIZE) as pilot:
            app.theme = THEMES[0].name
            await rest(app, pilot)
            for step in story:
                for key in step.keys.split():
                    await pilot.press(key)
                    await rest(app, pilot)
                app.clear_notifications()
                await pilot.pause(0.1)
                frames.append(Shown(app.export_screenshot(), step.written, step.caption, step.seconds))
        os.chdir(ROOT)
    return frames


def main(folder: str | None) -> None:
    """Write the film, and its frames where they are asked for."""
    frames = asyncio.run(record(STORY))
    background = "#14171c"
    if folder is not None:
        for number, frame in enumerate(frames):
            still = animated([frame], *SIZE, 0, background)
            (Path(folder) / f"frame-{number:02}.svg").write_text(still, "utf-8")
    film = animated(frames, *SIZE, POSTER, background)
    size = len(film.encode())
    if size > MOST_BYTES:
        sys.exit(f"{size} bytes are too many for a README")
    PLACE.write_text(film, "utf-8")
    print(f"{PLACE.relative_to(ROOT)}: {len(frames)} frames, {size} bytes")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
