"""Keys of the settings: what can be had is, what cannot is said in a line."""

from __future__ import annotations

import pytest

from npuscope.files.keys import chosen, key_of, written

ACTIONS = {"fixes": ("f",), "layers": ("L",), "back": ("ctrl+o",), "help": ("?", "f1"), "undo": ("u",)}


@pytest.mark.parametrize(
    ("text", "key", "shown"),
    [
        ("x", "x", "x"),
        ("X", "X", "X"),
        ("+", "+", "+"),
        (",", ",", ","),
        ("ö", "ö", "ö"),
        ("Ctrl+O", "ctrl+o", "Ctrl+o"),
        ("alt+A", "alt+A", "Alt+A"),
        ("F5", "f5", "F5"),
        ("shift+f12", "shift+f12", "Shift+F12"),
        ("Backspace", "backspace", "⌫"),
        ("delete", "delete", "Delete"),
    ],
)
def test_keys(text: str, key: str, shown: str) -> None:
    assert key_of(text) == key and written(key) == shown


@pytest.mark.parametrize(
    "text", ["", " ", "xy", "ctrl+", "ctrl", "f13", "f0", "shift+a", "\x1b", "\n", "́", "ctrl+alt", "tab"]
)
def test_what_is_no_key(text: str) -> None:
    assert key_of(text) is None


@pytest.mark.parametrize(
    ("wanted", "had", "message"),
    [
        ({}, {}, ""),
        ({"fixes": "F", "back": "f9"}, {"fixes": "F", "back": "f9"}, ""),
        ({"fixes": "L", "layers": "f"}, {"fixes": "L", "layers": "f"}, ""),  # they change places
        ({"fixes": "f"}, {"fixes": "f"}, ""),
        ({"fixs": "F"}, {}, "fixs is not an action (fixes is)"),
        ({"fixes": "ctrl", "undo": 3}, {}, "'ctrl' for fixes is not a key; 3 for undo is not a key"),
        ({"fixes": "j"}, {}, "j moves the cursor and cannot be the key of fixes"),
        ({"fixes": "u"}, {}, "u for fixes is the key of undo too"),
        ({"fixes": "z", "layers": "z"}, {}, "z for fixes is the key of layers too"),
        ({"fixes": "f1"}, {}, "F1 for fixes is the key of help too"),
        # undo cannot have j and keeps u, so that fixes cannot have it.
        (
            {"undo": "j", "fixes": "u"},
            {},
            "j moves the cursor and cannot be the key of undo; u for fixes is the key of undo too",
        ),
        ({"fixes": "L", "layers": "u"}, {}, "u for layers is the key of undo too; L for fixes is the key of"),
    ],
)
def test_what_can_be_had(wanted: dict[str, object], had: dict[str, str], message: str) -> None:
    keys, complaint = chosen(wanted, ACTIONS, ("j", "k"))
    assert keys == had
    assert complaint.startswith(message) and bool(message) == bool(complaint)


def test_a_long_complaint_is_one_line() -> None:
    _, complaint = chosen({f"no\nsuch[b] {i}": "x" * 300 for i in range(40)}, ACTIONS, ())
    assert "\n" not in complaint and len(complaint) < 230 and complaint.endswith("37 more")
