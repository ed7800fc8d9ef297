"""What the user can do on the main screen: one list feeds the key bindings, the key bar, the palette and the help."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from textual.binding import Binding
from textual.keys import key_to_character

from npuscope.files.keys import chosen, written
from npuscope.record import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do.

    1. `name` is the application's action, or the main screen's (`screen.`); `keys` is what a binding takes, `key` how
       they are written.
    2. `label` is for the key bar, `help` a sentence for the help; hints of low `weight` give way first,
       those of weight 0 are not in the bar.
    """

    name: str
    keys: str
    key: str
    label: str
    help: str
    weight: int = 0
    short: str = ""

    @property
    def binding(self) -> Binding:
        """The key binding."""
        return Binding(self.keys, self.name, self.help, show=False, id=self.word)

    @property
    def word(self) -> str:
        """What the settings call it: its label in lower case, _ for all that is not a letter."""
        return re.sub(r"[^a-z0-9]+", "_", self.label.lower())

    @property
    def pressed(self) -> tuple[str, ...]:
        """Its keys, characters as themselves."""
        return tuple(key_to_character(key) or key for key in self.keys.split(","))


ACTIONS = (
    Action(
        "screen.off_npu(1)",
        "n",
        "n",
        "next off NPU",
        "Next layer that is not on the NPU, or next of those shown",
        9,
        "next ✗",
    ),
    Action("screen.off_npu(-1)", "N", "N", "previous", "Previous layer that is not on the NPU"),
    Action(
        "screen.search",
        "slash",
        "/",
        "search",
        "Search: names, op=Conv, kernel=7, >1ms; Tab keeps only those",
        8,
        "find",
    ),
    Action(
        "fixes",
        "f",
        "f",
        "fixes",
        "Fixes for this layer, or for the whole model, and their cost",
        11,
    ),
    Action("split", "s", "s", "split", "Split this layer: proposals, sizes, before and after", 5),
    Action("plan", "p", "p", "plan", "Plan: edits for the whole model, bit-exact ones first", 6),
    Action("undo", "u", "u", "undo", "Undo the last edit", 6),
    Action("redo", "r", "r", "redo", "Redo the last undone edit", 4),
    Action(
        "history",
        "H",
        "H",
        "history",
        "History: the edits so far, each with its ms and dB; switch, move, drop",
        3,
    ),
    Action("compare", "equals_sign", "=", "before, after", "Before and after: two timelines of epochs", 2),
    Action(
        "cut", "C", "C", "cut here", "Cut: a head for the NPU, a tail for the CPU, and the time of both", 2
    ),
    Action("verify", "v", "v", "verify", "Run the edited model against the original on the same inputs", 7),
    Action(
        "as_int8",
        "I",
        "I",
        "as int8",
        "Judge a float model as if quantized, before any calibration; again to go back",
        10,
    ),
    Action(
        "quantize", "Q", "Q", "quantize", "Quantize a float model: every setting, with time and accuracy", 9
    ),
    Action("accuracy", "A", "A", "accuracy", "Accuracy: each layer's own loss, against the float model"),
    Action(
        "values",
        "V",
        "V",
        "values",
        "Values of this layer: weights and activations on their grid, by channel",
    ),
    Action("export", "e", "e", "export", "Write the edited model to a file", 7),
    Action("screen.bounds", "b", "b", "bounds", "Bounds: what sets the model's time, and the roofline", 3),
    Action("screen.blocks", "d", "d", "diagram", "Diagram: the model as blocks, and which feeds which", 2),
    Action("screen.layers", "L", "L", "layers", "Layers: all of them in a table, sorted by any column", 3),
    Action(
        "memory",
        "m",
        "m",
        "memory",
        "Memory: pools, activations over time, what-if",
        3,
    ),
    Action(
        "screen.reasons",
        "W",
        "W",
        "reasons",
        "Reasons: each once, with its layers; filter by reason, placement, operator",
        5,
    ),
    Action(
        "screen.epochs",
        "i",
        "i",
        "epochs",
        "Epochs: the compiler's schedule, its time, its hand-overs to the CPU",
        4,
    ),
    Action(
        "agreement",
        "a",
        "a",
        "agreement",
        "Agreement with what ST's tools reported, if their files are open too",
        6,
    ),
    Action("compile", "E", "E", "compile", "Export, compile with ST's compiler, compare; Esc ends it", 2),
    Action("difference", "D", "D", "difference", "The two models that were opened, side by side"),
    Action(
        "screen.channels", "M", "M", "what if", "What if this layer had N channels: where, cycles, time", 2
    ),
    Action("screen.rule", "x", "x", "rule", "The rules behind the eligibility pane, in full", 2),
    Action(
        "screen.show_all",
        "backspace",
        "⌫",
        "show all",
        "All layers again, after only some were shown (Esc does so too)",
    ),
    Action("screen.scales", "w", "w", "scales", "Per-channel scales of this layer", 2),
    Action("screen.copy", "y", "y", "copy", "Copy what the panes say to the clipboard"),
    Action("toolchain", "c", "c", "Core", "Target another version of ST Edge AI Core", 3),
    Action("build", "B", "B", "build", "Build options: what the model is compiled with", 3),
    Action("theme", "t", "t", "theme", "Next colour theme", 1),
    Action("screen.enlarge", "plus", "+", "enlarge", "Zoom the focused pane to the whole screen, and back"),
    Action("reload", "R", "R", "reload", "Reload the model's file, and reapply the edits"),
    Action("open_file", "o", "o", "open", "Open another model", 2),
    Action("screen.pane(0)", "1", "1", "eligibility", "Eligibility: the verdict and its reasons"),
    Action("screen.pane(1)", "2", "2", "quantization", "Quantization: types, scales, zero points"),
    Action("screen.pane(2)", "3", "3", "MAC/cycle", "MAC/cycle: rates, tiling, cycles"),
    Action(
        "screen.pane(3)",
        "4",
        "4",
        "neighbourhood",
        "Neighbourhood: what feeds this layer, what reads it",
        3,
        "graph",
    ),
    Action(
        "screen.walk(-1)",
        "left_square_bracket",
        "[",
        "producer",
        "Go to what feeds this layer, the first of several",
    ),
    Action(
        "screen.walk(1)",
        "right_square_bracket",
        "]",
        "consumer",
        "Go to what reads this layer, the first of several",
    ),
    Action(
        "screen.join(1)",
        "right_curly_bracket",
        "}",
        "next join",
        "Next layer where branches meet: Concat, residual Add",
    ),
    Action(
        "screen.join(-1)", "left_curly_bracket", "{", "previous join", "Previous layer where branches meet"
    ),
    Action("screen.go_back(-1)", "ctrl+o", "Ctrl+o", "back", "Back to where the cursor jumped from"),
    Action("screen.go_back(1)", "alt+o", "Alt+o", "forward", "Forward again"),
    Action(
        "screen.trace",
        "T",
        "T",
        "trace",
        "Trace what leads to this layer or scope and comes of it; on another, the path between",
        2,
    ),
    Action(
        "screen.jump", "J", "J", "jump", "Jump to a row in view, by the letter that then stands before it"
    ),
    Action(
        "mark",
        "semicolon",
        ";",
        "mark",
        "Mark this layer with the letter typed next, while the model is open",
    ),
    Action(
        "marks", "apostrophe", "'", "marks", "Marks: to the layer of the letter typed next, or of the list"
    ),
    Action(
        "screen.hottest(1)",
        "full_stop",
        ".",
        "next hottest",
        "The most expensive layer, then the next one",
        6,
        "hot",
    ),
    Action("screen.hottest(-1)", "comma", ",", "hotter", "The layer that takes a little more time"),
    Action("to_tree", "escape", "Esc", "tree", "Back to the tree"),
    Action(
        "help",
        "question_mark,f1",
        "?",
        "help",
        "Keys, signs and words, on any screen; F1 while typing",
        12,
    ),
    Action(
        "quit",
        "q",
        "q",
        "quit",
        "Quit; asks if edits are not exported. Ctrl+C and Ctrl+Q work anywhere",
        11,
    ),
)

GROUPS: dict[str, tuple[str, ...]] = {
    "Find": (
        "screen.off_npu(1)",
        "screen.off_npu(-1)",
        "screen.hottest(1)",
        "screen.hottest(-1)",
        "screen.search",
        "screen.walk(-1)",
        "screen.walk(1)",
        "screen.join(1)",
        "screen.join(-1)",
        "screen.go_back(-1)",
        "screen.go_back(1)",
        "screen.trace",
        "screen.jump",
        "mark",
        "marks",
        "screen.show_all",
        "to_tree",
    ),
    "Understand": (
        "screen.pane(0)",
        "screen.pane(1)",
        "screen.pane(2)",
        "screen.pane(3)",
        "screen.reasons",
        "screen.rule",
        "screen.epochs",
        "screen.bounds",
        "memory",
        "screen.layers",
        "screen.blocks",
        "screen.scales",
        "values",
        "accuracy",
        "screen.channels",
    ),
    "Fix": (
        "fixes",
        "split",
        "plan",
        "cut",
        "quantize",
        "as_int8",
        "undo",
        "redo",
        "history",
    ),
    "Check, write": (
        "verify",
        "compare",
        "export",
        "compile",
        "agreement",
        "difference",
    ),
    "Target, program": (
        "toolchain",
        "build",
        "open_file",
        "reload",
        "screen.enlarge",
        "screen.copy",
        "theme",
        "help",
        "quit",
    ),
}
"""What the help shows together, in the order of work: names of actions."""

MOVES = (
    ("↑ ↓  k j", "Move"),
    ("→ ←  l h", "Open, close; go into, go out"),
    ("Enter Space", "Open or close"),
    ("PgUp PgDn", "A page up, down; Ctrl+u, Ctrl+d half a page"),
    ("Home End  gg G", "First, last row"),
    ("Tab Shift+Tab", "To the next, the previous pane; arrows scroll it, or choose a neighbour for Enter"),
    ("Ctrl+p  Ctrl+l", "The palette: every action, by name; draw the screen anew"),
    (
        "Mouse",
        "Rows, neighbours, keys of the last line, names of columns, the header's row of bars; the wheel scrolls",
    ),
)
"""Keys of the tree and the panes, for the help."""

BEFORE_A_VERDICT = frozenset(
    {
        *(f"screen.pane({at})" for at in range(4)), *(f"screen.{name}({step})" for name in ("walk", "join", "go_back") for step in (-1, 1)),
        "screen.search", "screen.jump", "screen.enlarge", "screen.show_all", "to_tree", "open_file", "theme", "help", "quit",
    }
)  # fmt: skip
"""What can be done while it is still computed where layers run; everything else needs that."""

WITHOUT_A_MODEL = frozenset({"open_file", "agreement", "theme", "help", "quit"})
"""What can be done where no model is open, or none yet; agreement where there is what ST's tools wrote."""

RESERVED = frozenset({*"jkhlgG", *(f"ctrl+{letter}" for letter in "bcdfhijlmpqu"), "escape"})
"""Keys that move, or do the same everywhere; Ctrl+h, i, j and m are Backspace, Tab and Enter in a terminal."""

STAY = ("f1", "escape")
"""Keys that an action keeps beside the user's."""


def actions_of(app: object) -> tuple[Action, ...]:
    """What there is to do in an application, with the keys its user gave them."""
    return getattr(app, "actions", ACTIONS)


def with_keys(wanted: Mapping[str, object]) -> tuple[tuple[Action, ...], str]:
    """The actions with the user's keys, and a line on those that cannot be had."""
    keys, complaint = chosen(wanted, {action.word: action.pressed for action in ACTIONS}, RESERVED)

    def keyed(action: Action) -> Action:
        key = keys.get(action.word)
        if key is None:
            return action
        kept = [other for other in action.keys.split(",") if other in STAY and other != key]
        return replace(action, keys=",".join([key, *kept]), key=written(key))

    return tuple(map(keyed, ACTIONS)), complaint
