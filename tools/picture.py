"""Draw the README's picture: the explorer on the sample denoiser, at its second layer off the NPU."""

import asyncio
from pathlib import Path

from npuscope.machine.machine import target
from npuscope.tui.app import Npuscope

ROOT = Path(__file__).resolve().parents[1]
SIZE = (120, 34)


async def main() -> None:
    app = Npuscope(str(ROOT / "sample_models" / "denoiser_lstm_int8.onnx"), target("2.1"))
    async with app.run_test(size=SIZE) as pilot:
        app.theme = "npuscope-dark"
        await app.workers.wait_for_complete()
        await pilot.press("n", "n")
        await pilot.pause(0.3)
        picture = ROOT / "docs" / "images" / "explorer.svg"
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_text(app.export_screenshot(title="npuscope"), "utf-8")


if __name__ == "__main__":
    asyncio.run(main())
