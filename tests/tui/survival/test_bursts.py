"""Keys that arrive together, on every screen: nothing ends, nothing is raised."""

from __future__ import annotations

import importlib
import pkgutil
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from builders.artefacts.texts import DOT
from builders.longer import suite_or_long
from builders.models import gemm_qdq
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from npuscope import tui
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.tui.app import Npuscope
from npuscope.tui.driver import Keyboard
from npuscope.tui.screens.guarded import GuardedScreen
from npuscope.tui.screens.inputs.screen import InputsScreen
from npuscope.tui.screens.main.screen import MainScreen
from npuscope.tui.screens.restore.screen import RestoreScreen

BURSTS = suite_or_long(4, 40)
"""On each screen: of one key, of several, and with a paste. tools/fuzz_keys.py goes on for longer."""

SCREENS: dict[str, tuple[str, ...] | Callable[[Any], object]] = {
    "main": (),
    "open": ("o",),
    "fixes": ("f",),
    "model_fixes": ("home", "f"),
    "split": ("s",),
    "plan": ("p",),
    "verify": ("v",),
    "export": ("e",),
    "inputs": lambda app: app.push_screen(InputsScreen(app.session.source, None)),
    "quit": ("q",),
    "history": ("H",),
    "compare": ("equals_sign",),
    "quantize": ("Q",),
    "accuracy": ("A",),
    "values": ("V",),
    "cut": ("C",),
    "channels": ("M",),
    "difference": ("D",),
    "build_options": ("B",),
    "bounds": ("b",),
    "blocks": ("d",),
    "layers": ("L",),
    "marks": ("semicolon",),
    "memory": ("m",),
    "reasons": ("W",),
    "epochs": ("i",),
    "rule": ("x",),
    "scales": ("w",),
    "toolchain": ("c",),
    "agreement": ("a",),
    "nothing": ("a",),
    "restore": lambda app: app.push_screen(RestoreScreen("m.onnx", ("split Gemm_0",), None)),
    "help": ("question_mark",),
    "palette": ("ctrl+p",),
    "search": ("slash",),
    "as_int8": (),
}
"""Screens by the name of their folder, and modes of the main screen: the keys that open them, or what does."""

MODES = ("search", "as_int8")
"""The main screen with its search bar, and of a float model judged as if quantized."""

EDITED = ("verify", "export", "inputs", "quit", "history", "compare")
"""What takes an edit to open."""

KEYS = (
    *("escape", "enter", "space", "tab", "shift+tab", "up", "down", "left", "right", "home", "end"),
    *("pageup", "pagedown", "backspace", "delete", "ctrl+p", "ctrl+u", "ctrl+d", "ctrl+o", "ctrl+a", "f1"),
    *"abcdefghijklmnopqrstuvwxyzABCDEGHJKLMNQRW0123456789",
    *(
        "slash",
        "equals_sign",
        "question_mark",
        "plus",
        "full_stop",
        "left_square_bracket",
        "right_square_bracket",
        "semicolon",
        "apostrophe",
    ),
)


def _event(key: str) -> events.Key:
    named = {
        "slash": "/",
        "equals_sign": "=",
        "question_mark": "?",
        "space": " ",
        "plus": "+",
        "full_stop": ".",
        "semicolon": ";",
        "apostrophe": "'",
    }
    return events.Key(key, named.get(key, key if len(key) == 1 else None))


def _open(app: Any, name: str) -> None:
    opener = SCREENS[name]
    if callable(opener):
        opener(app)
    else:
        for key in opener:
            app.post_message(_event(key))


async def _back(pilot: Pilot[int]) -> None:
    """To the main screen, as it is at first."""
    app = pilot.app
    for _ in range(60):
        if len(app.screen_stack) == 1:
            break
        app.screen.dismiss()
        await pilot.pause()
    assert len(app.screen_stack) == 1
    app.screen.set_focus(app.graph_tree)


def _place(screen: type[object]) -> str:
    """The folder of a screen's class, or its file outside screens/."""
    return screen.__module__.removesuffix(".screen").rpartition(".")[2]


def _classes(above: type[object]) -> set[type[object]]:
    """The classes of the program below it that none is derived from: screens, not what they share."""
    below = [one for one in above.__subclasses__() if one.__module__.startswith("npuscope.")]
    return set().union(*(_classes(one) or {one} for one in below))


def test_every_screen_is_here() -> None:
    for module in pkgutil.walk_packages(tui.__path__, "npuscope.tui."):
        importlib.import_module(module.name)
    classes = _classes(GuardedScreen)
    assert MainScreen in classes and len(classes) > 30
    assert sorted(map(_place, classes)) == sorted(SCREENS.keys() - {*MODES})


@pytest.mark.parametrize("name", SCREENS)
async def test_bursts(
    name: str,
    tmp_path: Path,
    make_chain: Any,
    explore: Any,
    settle: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Npuscope, "exit", lambda self, *_: None)  # q ends the program, as it should
    draw = random.Random(name)
    path = tmp_path / "model.onnx"
    onnx.save(gemm_qdq(263, 16), path)
    if name in ("quantize", "as_int8"):
        path = make_chain(["a", "b"])
    async with explore(path, (80, 24)) as pilot:
        app = pilot.app
        await pilot.press("n")
        if name in EDITED:
            app.make(SplitInput("Gemm_0", (144, 119)))
            await settle(pilot)
            assert app.session.done
        if name == "difference":
            onnx.save(gemm_qdq(264, 16), tmp_path / "other.onnx")
            app.opener.open(str(path), str(tmp_path / "other.onnx"))
            for _ in range(3):
                await settle(pilot)
            await _back(pilot)
        if name == "agreement":
            graph = tmp_path / "graph.dot"
            graph.write_text(DOT)
            app.open(str(graph))
            for _ in range(2):
                await settle(pilot)
            await _back(pilot)
        if name == "as_int8":
            await pilot.press("I")
            await settle(pilot)
            assert app.session.graph.as_int8
        _open(app, name)
        await pilot.pause()
        assert name in MODES or _place(type(app.screen)) == name
        await _back(pilot)
        for burst in range(BURSTS):
            # With keys before it is there, then the same one again.
            if not burst % 2 or len(app.screen_stack) == 1:
                await _back(pilot)
                _open(app, name)
            keys = [draw.choice(KEYS) for _ in range(draw.randint(2, 6))]
            if burst % 4 == 0:
                keys = [keys[0]] * 6
            app.post_message(events.Paste("144+113\n/\x1b")) if burst % 7 == 3 else None
            for key in keys:
                app.post_message(_event(key))
            await pilot.pause()
            app.workers.cancel_all()
            assert app.is_running, keys
            assert not app.faults, (keys, app.faults)
        await _back(pilot)
        app.workers.cancel_all()


def test_bytes_that_are_not_utf_8_are_skipped() -> None:
    keyboard = Keyboard()
    keys = [
        event.key
        for data in (b"a\xe9b\xff\xfe", b"\xc3", b"\xa9", b"\x1b[<0;99999999999999999999;1", b"Mz")
        for event in keyboard.feed(data)
        if isinstance(event, events.Key)
    ]
    assert keys[:3] == ["a", "b", "é"]
    assert [event.key for event in keyboard.feed(b"q") if isinstance(event, events.Key)][-1:] == ["q"]


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (("slash", *"op", "equals_sign", *"Gemm"), "op=Gemm"),
        (("full_stop", "s", *"144", "plus", *"119"), "144+119"),
        (("o", *"eq"), "eq"),
    ],
    ids=["search", "split", "open"],
)
async def test_keys_that_come_at_once_go_where_the_first_one_leads(
    keys: tuple[str, ...], text: str, tmp_path: Path, explore: Any, settle: Any
) -> None:
    """As over a slow line: what is typed behind a slash is no command."""
    path = tmp_path / "model.onnx"
    onnx.save(gemm_qdq(263, 16), path)
    async with explore(path, (80, 24)) as pilot:
        for key in keys:
            pilot.app.post_message(_event(key))
        for _ in range(6):
            await settle(pilot)
        entry = pilot.app.focused
        assert isinstance(entry, Input)
        assert entry.value.endswith(text)
