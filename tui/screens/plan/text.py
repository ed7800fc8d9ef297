"""What the plan screen says: a step in one line, the reason of one, and what the chosen ones bring."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from npuscope.edits.edit import Edit
from npuscope.model.brief import BriefNames, briefly
from npuscope.npu.figures import plural
from npuscope.npu.times import add_up, change_sign
from npuscope.planning.accuracy.set_aside import BUDGETED
from npuscope.planning.accuracy.within import LimitedSteps
from npuscope.planning.plan import Allowed, Left, Plan, Step
from npuscope.snapshot import Summary
from npuscope.tui.screens.split.text import EXACTNESS
from npuscope.widgets.lists.fix_lines import EXACTNESS_ROLES, SHORT, without_layer
from npuscope.widgets.text.cells import clip, left, right, whole
from npuscope.widgets.text.figures import added, became, decibels, time_change
from npuscope.widgets.text.layer_names import kept_apart, shown_of
from npuscope.widgets.text.spans import BLANK, Line, Span, line, quiet, strong, wrap
from npuscope.widgets.text.words import change_role, where

_TIME, _NUMBERS, _SHORT = 12, 13, 8

_ASIDE = 4
"""Edits left out that are listed."""

_ROOMY = 70
"""Cells from which there is room for the whole word."""

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


def step_lines(steps: Sequence[Step], taken: Collection[int], width: int, names: BriefNames) -> list[Line]:
    """The steps; the times of those taken add up to what they give together, as they are written."""
    room = _edit_width(width)
    cut = [clip(names.text(step.edit.describe(), step.layer, room - 1), room - 1) for step in steps]
    layer_first = [
        f"{names.fit(step.layer, room - 1)}: {without_layer(step.edit)}"
        if step.layer
        else step.edit.describe()
        for step in steps
    ]
    edits = kept_apart(cut, layer_first, room - 1)
    changes = [-step.saved_milliseconds for step in steps]
    together = sorted(taken)
    for index, change in zip(together, add_up([changes[index] for index in together]), strict=True):
        changes[index] = change
    return [
        _step_line(step, edit, index in taken, change, width)
        for index, (step, edit, change) in enumerate(zip(steps, edits, changes, strict=True))
    ]


def _step_line(step: Step, edit: str, taken: bool, change: float, width: int) -> Line:
    """A step: ticked or not, the edit, where its layer runs before and after, what it does to the time."""
    before, after = step.placement
    numbers = EXACTNESS[step.exactness][0] if width >= _ROOMY else SHORT[step.exactness]
    moved: Line = (where(after), Span(" " * (_where(width) - 5)))
    if before is not after and width >= _WIDE:
        moved = (where(before), quiet(" → "), where(after), Span(" "))
    about = "≈" if step.approximate else ""
    return (
        Span("[x] " if taken else "[ ] ", "accent" if taken else "quiet"),
        Span(left(edit, _edit_width(width)), "text" if taken else "quiet"),
        *moved,
        Span(right(f"{about}{added(change)}", _TIME), change_role(change) if taken else "quiet"),
        Span("  " + numbers, EXACTNESS_ROLES[step.exactness] if taken else "quiet"),
    )


def _words(edit: Edit, layer: str, names: BriefNames, width: int) -> str:
    return clip(names.text(edit.describe(), layer, width), width)


def _saved(time: float) -> str:
    return time_change(-time)


def _edit_width(width: int) -> int:
    return max(width - 4 - _where(width) - _TIME - (_NUMBERS if width >= _ROOMY else _SHORT), 12)


def outcome(
    before: Summary, after: Summary | None, steps: int, numbers: str | None, width: int
) -> list[Line]:
    """The model with the ticked steps against the model as it is; `numbers` is what the worst output keeps, None: all."""
    if after is None:
        return [line(quiet("…"))]
    parts: list[Span | str] = [quiet(f"with {plural(steps, 'step')}: ")]
    if before.off_npu or after.off_npu:
        role = "sw-strong" if after.on_cpu else "hybrid" if after.off_npu else "hw"
        glyph = "✗" if after.on_cpu else "◐" if after.off_npu else "●"
        moved = before.off_npu != after.off_npu
        count = (
            f"{before.off_npu} → {plural(after.off_npu, 'layer')}"
            if moved
            else plural(after.off_npu, "layer")
        )
        parts.append(Span(f"{glyph} {count} off the NPU{'' if moved else ' as before'}", role))
        parts.append(quiet(" · "))
    parts.append(strong(became(before.milliseconds, after.milliseconds)))
    change = after.milliseconds - before.milliseconds
    if change_sign(change):
        parts.append(quiet(f" ({added(change)})"))
    if steps:
        parts.append(quiet(" · "))
        parts.append(
            quiet("bit-exact") if numbers is None else Span(f"≈ {numbers} at the worst output", "attention")
        )
    return list(wrap(line(*parts), width))


def kept_text(kept: LimitedSteps, width: int) -> list[Line]:
    """What came of a budget."""
    if kept.limit.milliseconds is not None:
        what = "the most dB within it" if kept.met else "no steps are as fast: these are the fastest"
    else:
        what = (
            "the least time that keeps it" if kept.met else "these steps keep less: only exact ones are left"
        )
    role = "hw" if kept.met else "attention"
    return list(wrap(line(Span(f"budget {kept.limit}: ", role), quiet(f"{what}.")), width))


def _described(plan: Plan, index: int) -> str:
    step = plan.steps[index]
    return briefly(step.edit.describe(), step.layer, plan.brief)


def reasons(
    plan: Plan, index: int, width: int, left: Left, taken: int, on_cpu: bool, allowed: Allowed
) -> list[Line]:
    """Why the step under the cursor is there, what the `taken` steps leave off the NPU, and what was left out."""
    lines: list[Line] = []
    if 0 <= index < len(plan.steps):
        step = plan.steps[index]
        lines += wrap(line(quiet(f"{step.why[:1].upper()}{step.why[1:]}.")), width)
        before, after = step.placement
        if before is not after:
            lines += wrap(line(where(before), quiet(" → "), where(after)), width)
        for need in step.needs:
            lines += wrap(line(quiet("needs  "), whole(_described(plan, need))), width, 7)
    if not plan.steps:
        lines += wrap(line(quiet("No edit would bring a layer onto the NPU or save time.")), width)
    if plan.hint:
        lines += [BLANK, *wrap(line(Span("→ ", "accent"), f"{plan.hint}."), width, 2)]
    if taken < len(plan.steps):
        text = "The time of a ticked step is what it saves on top of the ticked ones before it."
        lines += [BLANK, *wrap(line(quiet(text)), width)]
    if any(step.approximate for step in plan.steps):
        text = "≈ steps next to each other save together what is known; the part of each is not."
        lines += [BLANK, *wrap(line(quiet(text)), width)]
    lines += _left_out(plan, width, allowed)
    if left:
        names = plan.names
        sign = Span("✗ ", "sw") if on_cpu else Span("◐ ", "hybrid")
        lines += [
            BLANK,
            *wrap(line(sign, f"{plural(len(left), 'layer')} left off the NPU"), width, 2),
        ]
        for name, reason in left[:6]:
            name = shown_of(names.among, names.brief.get(name, name), 32)
            lines += wrap(line("  ", name, quiet(f"  {reason}")), width, 4)
        if len(left) > 6:
            lines.append(line(quiet(f"  and {len(left) - 6} more")))
    return lines


def unfinished(stopped: bool, width: int) -> list[Line]:
    """Why not every layer was looked at: it was stopped, or time ran out."""
    why, longer = ("Stopped", "") if stopped else ("Time ran out", ", for longer")
    text = f"{why} before every layer was examined: these are the steps found so far; r searches on{longer}."
    return [*wrap(line(Span("▲ ", "attention"), quiet(text)), width, 2), BLANK]


def _left_out(plan: Plan, width: int, allowed: Allowed) -> list[Line]:
    """Edits that would save time, by the reason why they are no steps; and which tab allows more."""
    more = {
        Allowed.EXACT: "2 allows edits that are not bit-exact where nothing else takes a layer to the NPU.",
        Allowed.NEEDED: "3 allows edits that are not bit-exact also where they only save time.",
    }.get(allowed, "")
    names, lines = plan.names, list[Line]()
    room = max(width - 2 - _TIME - 12, 12)
    for why in dict.fromkeys(one.why for one in plan.set_aside[:_ASIDE]):
        lines += [BLANK, *wrap(line("○ left out although it saves time", quiet(f": {why}")), width, 2)]
        for one in (one for one in plan.set_aside[:_ASIDE] if one.why == why):
            loss = "" if one.sqnr_db is None else f"≈ {decibels(one.sqnr_db)}"
            words = left(_words(one.edit, one.layer, names, room - 1), room)
            lines.append(line("  ", words, quiet(right(_saved(one.saved_milliseconds), _TIME)), f"  {loss}"))
    if len(plan.set_aside) > _ASIDE:
        lines.append(line(quiet(f"  and {len(plan.set_aside) - _ASIDE} more")))
    if any(one.why not in BUDGETED for one in plan.set_aside):
        lines += wrap(line(quiet("f on its layer applies it.")), width)
    if plan.exact is not None:
        lines += [BLANK, *wrap(line(f"{plan.hint}.".replace("'plan --loss exact'", "1")), width)]
    if more:
        lines += [*([] if lines else [BLANK]), *wrap(line(quiet(more)), width)]
    return lines


def why_not(plan: Plan | None) -> str:
    """Why Enter makes no steps: they are still looked for (None), or none is ticked."""
    if plan is None:
        return "The search is still running: its steps can be applied once they stand here; Esc stops it."
    return "No step is ticked: Space ticks the one under the cursor, a all of them."
