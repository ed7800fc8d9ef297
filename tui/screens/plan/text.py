"""What the plan screen says: a step in one line, the reason of one, and what the chosen ones bring."""

from __future__ import annotations

from collections.abc import Mapping

from npuscope.edits.edit import Exactness
from npuscope.model.brief import briefly
from npuscope.model.names import printable
from npuscope.planning.plan import Left, Plan, Step
from npuscope.snapshot import Summary
from npuscope.tui.screens.split.text import EXACTNESS
from npuscope.widgets.text.cells import clip, left, right, shown
from npuscope.widgets.text.figures import milliseconds
from npuscope.widgets.text.spans import BLANK, Line, Span, line, quiet, strong, wrap
from npuscope.widgets.text.words import plural, where

_TIME, _NUMBERS = 10, 13

_WIDE = 84
"""Cells from which there is room to say where a layer ran before."""


def _where(width: int) -> int:
    return 14 if width >= _WIDE else 6


def heading(width: int) -> Line:
    """Heading of the list."""
    edit = _edit_width(width)
    return line(
        Span(
            "    " + left("edit", edit) + left("where", _where(width)) + right("time", _TIME) + "  numbers",
            "title",
        )
    )


def step_line(step: Step, taken: bool, width: int, brief: Mapping[str, str]) -> Line:
    """A step: ticked or not, the edit, where its layer runs before and after, what it does to the time."""
    before, after = step.placement
    exact = step.exactness is Exactness.BIT_EXACT
    moved: Line = (where(after), Span(" " * (_where(width) - 5)))
    if before is not after and width >= _WIDE:
        moved = (where(before), quiet(" → "), where(after), Span(" "))
    saved, room = step.saved_milliseconds, _edit_width(width)
    return (
        Span("[x] " if taken else "[ ] ", "accent" if taken else "quiet"),
        Span(
            left(clip(printable(briefly(step.edit.describe(), step.layer, brief)), room - 1), room),
            "text" if taken else "quiet",
        ),
        *moved,
        quiet(right(_saved(saved), _TIME)),
        Span("  " + EXACTNESS[step.exactness][0], "text" if exact else "quiet"),
    )


def _saved(time: float) -> str:
    text = milliseconds(abs(time))
    return "·" if text == milliseconds(0) else f"{'+' if time < 0 else '-'}{text}"


def _edit_width(width: int) -> int:
    return max(width - 4 - _where(width) - _TIME - _NUMBERS, 12)


def outcome(before: Summary, after: Summary | None, steps: int, width: int) -> list[Line]:
    """The model with the ticked steps against the model as it is."""
    if after is None:
        return [line(quiet("…"))]
    parts: list[Span | str] = [quiet(f"with {plural(steps, 'step')}: ")]
    if before.off_npu or after.off_npu:
        role = "sw-strong" if after.on_cpu else "hybrid" if after.off_npu else "hw"
        glyph = "✗" if after.on_cpu else "◐" if after.off_npu else "●"
        parts.append(Span(f"{glyph} {before.off_npu} → {after.off_npu} layers off the NPU", role))
        parts.append(quiet(" · "))
    parts.append(strong(f"{milliseconds(before.milliseconds)} → {milliseconds(after.milliseconds)}"))
    return list(wrap(line(*parts), width))


def _described(plan: Plan, index: int) -> str:
    step = plan.steps[index]
    return briefly(step.edit.describe(), step.layer, plan.brief)


def reasons(plan: Plan, index: int, width: int, left: Left, taken: int, on_cpu: bool = True) -> list[Line]:
    """Why the step under the cursor is there, and what the `taken` steps leave off the NPU."""
    lines: list[Line] = []
    if 0 <= index < len(plan.steps):
        step = plan.steps[index]
        lines += wrap(line(quiet(f"{step.why[:1].upper()}{step.why[1:]}.")), width)
        before, after = step.placement
        if before is not after:
            lines += wrap(line(where(before), quiet(" → "), where(after)), width)
        for need in step.needs:
            lines += wrap(line(quiet("needs  "), shown(_described(plan, need), 60)), width, 7)
    if not plan.steps:
        lines += wrap(line(quiet("No edit known here would bring a layer onto the NPU or save time.")), width)
    if plan.hint:
        lines += [BLANK, *wrap(line(Span("→ ", "accent"), f"{plan.hint}."), width, 2)]
    if taken < len(plan.steps):
        lines += [BLANK, line(quiet("Times of steps are those they save with all steps before them."))]
    if left:
        brief = plan.brief
        sign = Span("✗ ", "sw") if on_cpu else Span("◐ ", "hybrid")
        lines += [
            BLANK,
            *wrap(line(sign, f"{plural(len(left), 'layer')} left off the NPU"), width, 2),
        ]
        for name, reason in left[:6]:
            lines += wrap(line("  ", shown(brief.get(name, name), 32), quiet(f"  {reason}")), width, 4)
        if len(left) > 6:
            lines.append(line(quiet(f"  and {len(left) - 6} more")))
    if not plan.finished:
        lines += [
            BLANK,
            *wrap(
                line(Span("▲ ", "attention"), quiet("Time ran out before every layer was seen.")), width, 2
            ),
        ]
    return lines
