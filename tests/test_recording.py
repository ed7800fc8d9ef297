"""The film of the README: each moment of it shows its frame, and the file needs nothing from elsewhere."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
STORY = ROOT / "docs" / "images" / "story.svg"
SVG = "{http://www.w3.org/2000/svg}"


def picture(*lines: str) -> str:
    console = Console(width=30, record=True, file=io.StringIO(), force_terminal=True)
    for line in lines:
        console.print(Text(line, "bold red on blue" if "!" in line else "green"))
    return console.export_svg(title="")


def seen(svg: str, at: float) -> list[str]:
    """The texts that are seen at a time, in % of the film; by the poster's rules for -1."""
    root = ElementTree.fromstring(svg)
    style = root.findtext(f"{SVG}style") or ""
    steps = {
        name: [
            (float(step), int(opacity)) for step, opacity in re.findall(r"([\d.]+)%\{opacity:(\d)\}", body)
        ]
        for name, body in re.findall(r"@keyframes (\w+)\{((?:[^{}]*\{[^}]*\})*)\}", style)
    }
    still = dict(re.findall(r"\.(f\d+)\{(opacity:0;)?animation", style))
    listed = []
    for node in root:
        if name := node.get("class") if node.tag == f"{SVG}g" else None:
            shown = (
                [opacity for step, opacity in steps[name] if step <= at][-1] if at >= 0 else not still[name]
            )
            if not shown:
                continue
        listed += ["".join(text.itertext()) for text in node.iter(f"{SVG}text")]
    return listed


def test_each_moment_shows_its_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    sys.modules.pop("animation", None)
    from animation import Shown, animated  # type: ignore[import-not-found]

    frames = [
        Shown(picture("same <&>", "one!", "both"), "a", "first", 1),
        Shown(picture("same <&>", "two  blanks", "both"), "b", "second", 2),
        Shown(picture("same <&>", "one!", "last"), "c", "third", 1),
    ]
    film = animated(frames, 30, 3, 1, "#000")
    wanted = [
        {"same\xa0<&>", "one!", "both", "afirst"},
        {"same\xa0<&>", "two\xa0\xa0blanks", "both", "bsecond"},
        {"same\xa0<&>", "one!", "last", "cthird"},
    ]
    for at, texts in ((0, 0), (24, 0), (26, 1), (74, 1), (76, 2), (99, 2), (-1, 1)):
        rows = seen(film, at)
        assert set(rows) == wanted[texts] and len(rows) == 4, at
    assert film.count(">one!<") == film.count(">both<") == 1, "what frames share is there once"


def test_the_film_in_the_readme() -> None:
    film = STORY.read_text("utf-8")
    assert len(film.encode()) < 400_000
    assert re.findall(r"https?:[^\"]*", film) == ["http://www.w3.org/2000/svg"]
    assert "<script" not in film and "@font-face" not in film
    assert "docs/images/story.svg" in (ROOT / "README.md").read_text("utf-8")
    poster = " ".join(seen(film, -1)).replace("\xa0", " ")
    assert "257 input channels cannot be tiled" in poster
    end = " ".join(seen(film, 99.9)).replace("\xa0", " ")
    assert "written" in end and "onnxruntime" in end
