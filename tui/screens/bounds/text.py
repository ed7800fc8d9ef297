"""What the bounds screen says: a bound in a line, the epochs it sets, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from npuscope.model.brief import Names
from npuscope.model.names import printable
from npuscope.neural_art.price.bounds import Bound, Part
from npuscope.npu.cost import NOTHING, Cost
from npuscope.npu.ledger import BOUNDS, START
from npuscope.widgets.bars.figure_bars import bar
from npuscope.widgets.text.cells import cells, left, right, whole
from npuscope.widgets.text.figures import percent, time_cell
from npuscope.widgets.text.keys import keyed
from npuscope.widgets.text.layer_names import shown_of
from npuscope.widgets.text.spans import BLANK, Line, Span, line, quiet, wrap
from npuscope.widgets.text.words import where

_NAME, _TIME, _SHARE, _EPOCHS = 13, 10, 5, 8

WORDS = {
    "weights": (BOUNDS["weights"], "Each weight enters an accelerator once a cycle and is used too seldom.",
                "8x8 with Deep1x1 takes three a cycle: re-centre the input's zero point ({f} on the layer)."),
    "feat": (BOUNDS["feat"], "Features enter an accelerator one a cycle, again for each pass over the output channels.",
             "Fewer passes help: channel counts with larger divisors ({f} on the layer)."),
    "out": (BOUNDS["out"], "One output leaves the accelerators a cycle.",
            "Nothing in the layer itself helps; only fewer outputs would."),
    "acc": (BOUNDS["acc"], "Input channels do not fit at once; sums go through memory for each iteration.",
            "Channel counts that divide better, or a split of the inputs ({f} on the layer)."),
    "elements": ("elements", "One element a cycle in the arithmetic, activation or pooling unit.",
                 "Operators that can be folded into the convolution before them cost nothing."),
    "dma": (BOUNDS["dma"], "Elements are only moved; no accelerator works.",
            "Fewer Transpose, Concat and Slice, or another layout."),
    "cpu": (BOUNDS["cpu"], "Layers in software on the Cortex-M55.", "{W} shows their reasons, {p} plans them onto the NPU."),
    START: (BOUNDS[START], "Each epoch is configured before it runs and closed after it.",
            "Fewer epochs, or the epoch controller ({m} shows what it saves)."),
    NOTHING: ("nothing", "No byte is moved.", ""),
}  # fmt: skip
"""Bound -> its name on the screen, what it means, what helps."""


def words(name: str) -> tuple[str, str, str]:
    """A bound in words; all others are memory pools."""
    pool = (
        whole(name),
        f"The memory {whole(name)} is slower than the accelerators: moving its bytes takes longest.",
        "Fewer bytes, or a faster memory: {m} shows what weights in NPU RAM would change.",
    )
    label, meaning, helps = WORDS.get(name, pool)
    return label, meaning, keyed(helps)


def heading(width: int) -> Line:
    """The names of the columns."""
    text = left("bound by", _NAME) + right("time", _TIME) + right("%", _SHARE) + right("epochs", _EPOCHS)
    return line(Span(text, "title"))


def bound_line(bound: Bound, among: Names, total: float, width: int) -> Line:
    """A bound, its time and its share as a bar."""
    share = bound.milliseconds / total if total else 0.0
    room = max(width - _NAME - _TIME - _SHARE - _EPOCHS - 2, 4)
    return (
        Span(left(shown_of(among, words(bound.name)[0], _NAME), _NAME), "text"),
        Span(right(time_cell(bound.milliseconds), _TIME)),
        Span(right(percent(share), _SHARE), "text" if share >= 0.05 else "quiet"),
        quiet(right(str(len(bound.parts)), _EPOCHS) + "  "),
        *bar(((bound.milliseconds, _role(bound.name)),), total, room),
    )


def _role(name: str) -> str:
    return "sw" if name == "cpu" else "hybrid" if name in ("dma", START) else "accent"


def epochs_text(bound: Bound | None, costs: Mapping[str, Cost | None], width: int) -> list[Line]:
    """What the bound means, and the epochs it sets."""
    if bound is None:
        return []
    _, meaning, help_ = words(bound.name)
    lines = list(wrap(line(meaning), width))
    if help_:
        lines += wrap(line(Span("→ ", "accent"), quiet(help_)), width, 2)
    lines.append(BLANK)
    most = bound.parts[0].milliseconds if bound.parts else 0.0
    among = Names(layer for part in bound.parts[:200] for layer in part.epoch.layers[:1])
    lines += [_epoch(part, among, most, bound.name, width) for part in bound.parts[:200]]
    if len(bound.parts) > 200:
        lines.append(line(quiet(f"and {len(bound.parts) - 200} more")))
    return lines


def _epoch(part: Part, among: Names, most: float, name: str, width: int) -> Line:
    epoch = part.epoch
    room = max(width // 4, 6)
    text = max(width - room - 5 - 7 - _TIME - 4, 8)
    return (
        quiet(right(str(epoch.index), 4) + " "),
        where(epoch.placement),
        Span("  "),
        Span(left(_named(epoch.layers, among, text) or f"{epoch.op}, added by the compiler", text)),
        Span(right(time_cell(part.milliseconds), _TIME) + "  "),
        *bar(((part.milliseconds, _role(name)),), most, room),
    )


def _named(layers: Sequence[str], among: Names, width: int) -> str:
    """The first layers of an epoch, as many as there is room for, and how many more."""
    for shown_ones in (3, 2):
        names = ", ".join(printable(layer) for layer in layers[:shown_ones])
        more = f" +{len(layers) - shown_ones}" if len(layers) > shown_ones else ""
        if len(layers) >= shown_ones and cells(names + more) <= width:
            return names + more
    more = f" +{len(layers) - 1}" if len(layers) > 1 else ""
    return shown_of(among, layers[0], width - len(more)) + more if layers else ""


def slowest_layer(parts: Sequence[Part]) -> str | None:
    """The layer to look at first."""
    return next((layer for part in parts for layer in part.epoch.layers), None)
