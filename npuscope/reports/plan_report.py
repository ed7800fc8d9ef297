"""A plan as JSON (the contract "npuscope.plan/1"), as text, and as Markdown."""

from __future__ import annotations

from itertools import zip_longest
from math import fsum, inf
from typing import Any

from npuscope.edits.edit import Exactness
from npuscope.edits.registry import to_data
from npuscope.model.brief import BriefNames
from npuscope.model.names import printable
from npuscope.npu.figures import plural
from npuscope.npu.times import add_up, in_ms, saving_words, signed, table_change
from npuscope.planning.accuracy.time_budget import TimeBudgetResult
from npuscope.planning.plan import Plan, Step
from npuscope.reports.cut_report import offer_json, offer_text
from npuscope.reports.json_report import finite, summary_json
from npuscope.reports.tables import plain
from npuscope.reports.text_report import WORDS, placement_words
from npuscope.snapshot import Summary

SCHEMA = "npuscope.plan/1"

EDIT_WIDTH = 64

LEFT_WIDTH = 40

SHOWN_ASIDE = 6
"""Edits left out that are listed."""

SHOWN_LEFT = 12
"""Layers that stay off the NPU and are listed by name."""

APPROXIMATE = "~ what steps next to each other save together is known, the part of each is not: this model has too many."

EXACT_WORDS = {
    Exactness.BIT_EXACT: "bit-exact",
    Exactness.ROUNDING: "rounding",
    Exactness.APPROXIMATE: "approximate",
}


def plan_json(plan: Plan, within: TimeBudgetResult | None = None) -> dict[str, Any]:
    """The object `plan --json` prints. Keys may be added, none renamed."""
    return {
        "schema": SCHEMA,
        "steps": [_step_json(step) for step in plan.steps],
        "before": summary_json(plan.before),
        "after": summary_json(plan.after),
        **({"exact_steps_alone": summary_json(plan.exact)} if plan.exact is not None else {}),
        "left": [{"layer": name, "reason": reason} for name, reason in plan.left],
        "set_aside": [
            {
                "edit": one.edit.describe(),
                "layer": one.layer,
                "ms_saved": finite(one.saved_milliseconds),
                "sqnr_db": None if one.sqnr_db is None else finite(one.sqnr_db),
                "why": one.why,
                "recipe": to_data(one.edit),
            }
            for one in plan.set_aside
        ],
        "exactness": plan.exactness.value,
        "finished": plan.finished,
        **({"numbers": _numbers_json(plan)} if plan.assessment is not None else {}),
        **({"cut": offer_json(plan.cut)} if plan.cut is not None else {}),
        **({"within": _within_json(within)} if within is not None else {}),
    }


def _within_json(within: TimeBudgetResult) -> dict[str, Any]:
    return {
        "max_ms": within.most_milliseconds,
        "ms": finite(within.milliseconds),
        "met": within.met,
        "sqnr_db": None if within.sqnr_db is None else finite(within.sqnr_db),
        "reference": within.reference or None,
        "changes": [
            {
                "change": change.words,
                "gain_db": finite(change.decibels),
                "ms": finite(change.milliseconds),
                "compute_cycles": change.compute_cycles,
            }
            for change in within.changes
        ],
    }


def within_text(within: TimeBudgetResult) -> str:
    """The most dB within a time, and what led there."""
    against = f"against {printable(within.reference)}" if within.reference else "against the model before"
    kept = "bit-exact" if within.sqnr_db is None else f"{within.sqnr_db:.1f} dB"
    time = f"{in_ms(within.milliseconds)} ms of {within.most_milliseconds:g}"
    lines = [f"Most dB within the time: {kept} {against}, {time}"]
    if not within.met:
        lines[0] += "; no plan found is as fast"
    for change in within.changes:
        gain = "exact" if change.decibels == inf else f"{change.decibels:+.1f} dB"
        lines.append(f"  {gain:>9}  {table_change(change.milliseconds):>8} ms  {printable(change.words)}")
    return "\n".join(lines) + "\n"


def _numbers_json(plan: Plan) -> dict[str, Any] | None:
    """Steps count from 0, as in `needs`."""
    assessment = plan.assessment
    if assessment is None:
        return None
    return {
        "sqnr_db_min": None if assessment.decibels is None else finite(assessment.decibels),
        "least_db": assessment.least,
        "calibrated_on_random_inputs": list(assessment.uncalibrated),
        "lose_too_much": list(assessment.lossy),
        "held_back": list(assessment.held_back),
        "warnings": list(assessment.warnings),
    }


def _step_json(step: Step) -> dict[str, Any]:
    return {
        "edit": step.edit.describe(),
        "layer": step.layer,
        "exactness": step.exactness.value,
        "cycles_before": step.cycles[0],
        "cycles_after": step.cycles[1],
        "placement_before": step.placement[0].value,
        "placement_after": step.placement[1].value,
        "why": step.why,
        "ms_saved": finite(step.saved_milliseconds),
        "ms_approximate": step.approximate,
        "needs": list(step.needs),
        "recipe": to_data(step.edit),
    }


def plan_text(plan: Plan) -> str:
    """The steps as a table, why each is there, and the model before and after."""
    names = plan.names
    if not plan.steps:
        lines = [
            "no edit makes this model better"
            if plan.finished
            else "time ran out before an edit was found that makes this model better"
        ]
    else:
        rows: list[tuple[str, ...]] = [("step", "edit", "numbers", "before", "after", "ms", "needs")]
        rows += _rows(plan, names)
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        right = {0, 5}
        lines = []
        for row in rows:
            cells = [
                c.rjust(w) if i in right else c.ljust(w)
                for i, (c, w) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append("  ".join(cells).rstrip())
        lines.insert(1, "  ".join("-" * width for width in widths))
        if any(step.approximate for step in plan.steps):
            lines += ["", APPROXIMATE]
        lines += ["", "Why"]
        lines += [
            f"  {number:>2}  {printable(names.brief.get(step.layer, step.layer)) or 'the model'}: {printable(step.why)}"
            for number, step in enumerate(plan.steps, start=1)
        ]
    lines += ["", f"before  {summary_line(plan.before)}", f"after   {summary_line(plan.after)}"]
    if plan.hint:
        lines += ["", f"{plan.hint}."]
    lines += _left(plan, names)
    lines += _set_aside(plan, names)
    if plan.assessment is not None and plan.assessment.warnings:
        lines += ["", "Not applied without --accept-loss" if plan.assessment.held_back else "Of the numbers"]
        lines += [f"  {printable(warning)}" for warning in plan.assessment.warnings]
    if plan.cut is not None:
        lines += ["", offer_text(plan.cut, [step.edit for step in plan.steps])]
    if not plan.finished:
        lines += ["", "Time ran out before every layer was examined; this is the plan so far."]
    return "\n".join(lines) + "\n"


def _rows(plan: Plan, names: BriefNames) -> list[tuple[str, ...]]:
    """A row for each step, and what they save together: the sum of what each does."""
    changes = [-step.saved_milliseconds for step in plan.steps]
    rows = [
        _row(number, step, f"{'~' if step.approximate else ''}{signed(change)}", names)
        for number, (step, change) in enumerate(zip(plan.steps, add_up(changes), strict=True), start=1)
    ]
    total = ("", "all steps", "", "", "", signed(fsum(changes)), "")
    return [*rows, total] if len(rows) > 1 else rows


def _row(number: int, step: Step, time: str, names: BriefNames) -> tuple[str, ...]:
    return (
        str(number),
        names.text(step.edit.describe(), step.layer, EDIT_WIDTH),
        EXACT_WORDS[step.exactness],
        WORDS[step.placement[0]],
        WORDS[step.placement[1]],
        time,
        " ".join(str(needed + 1) for needed in step.needs),
    )


def _left(plan: Plan, names: BriefNames) -> list[str]:
    if not plan.left:
        return []
    lines = ["", "Still off the NPU"]
    lines += [
        f"  {names.fit(name, LEFT_WIDTH)}: {printable(reason)}" for name, reason in plan.left[:SHOWN_LEFT]
    ]
    if len(plan.left) > SHOWN_LEFT:
        lines.append(f"  and {len(plan.left) - SHOWN_LEFT} more")
    return lines


def _set_aside(plan: Plan, names: BriefNames) -> list[str]:
    if not plan.set_aside:
        return []
    lines = [
        "",
        "Left out although it saves time; 'fix' applies it, and --loss any what is only not bit-exact",
    ]
    for one in plan.set_aside[:SHOWN_ASIDE]:
        words = names.text(one.edit.describe(), one.layer, EDIT_WIDTH)
        loss = f" at {one.sqnr_db:.1f} dB" if one.sqnr_db is not None else ""
        lines.append(f"  {words}: {saving_words(one.saved_milliseconds)}{loss}; {printable(one.why)}")
    if len(plan.set_aside) > SHOWN_ASIDE:
        lines.append(f"  and {len(plan.set_aside) - SHOWN_ASIDE} more")
    return lines


def summary_line(summary: Summary) -> str:
    """'3 of 32 layers on the CPU · 5.2 ms · 18 epochs'."""
    return f"{placement_words(summary)} · {in_ms(summary.milliseconds)} ms estimated · {plural(summary.epochs, 'epoch')}"


def plan_markdown(plan: Plan, title: str) -> str:
    """The plan to paste into an issue or a chat."""
    lines = [
        f"## {plain(title)}",
        "",
        f"Before: {summary_line(plan.before)}. After: **{summary_line(plan.after)}** (simulated by npuscope).",
        "",
    ]
    if plan.steps:
        lines += [
            "| step | edit | numbers | before | after | ms | why |",
            "|---|---|---|---|---|---|---|",
        ]
    rows = _rows(plan, plan.names)
    for cells, step in zip_longest(rows, plan.steps):
        edit, why = (printable(step.edit.describe()), printable(step.why)) if step else (cells[1], "")
        row = (cells[0], edit, *cells[2:6], why)
        lines.append("| " + " | ".join(plain(cell) for cell in row) + " |")
    if any(step.approximate for step in plan.steps):
        lines += ["", plain(APPROXIMATE)]
    if plan.hint:
        lines += ["", f"{plan.hint}."]
    if plan.assessment is not None:
        lines += [
            part for warning in plan.assessment.warnings for part in ("", f"**{plain(printable(warning))}**")
        ]
    if plan.left:
        lines += ["", "Still off the NPU:", ""]
        lines += [f"- {plain(name)}: {plain(reason)}" for name, reason in plan.left]
    if plan.set_aside:
        lines += ["", "Left out although it saves time:", ""]
        for one in plan.set_aside:
            loss = f" at {one.sqnr_db:.1f} dB" if one.sqnr_db is not None else ""
            what = plain(printable(one.edit.describe()))
            lines.append(f"- {what}: {saving_words(one.saved_milliseconds)}{loss}; {plain(one.why)}")
    return "\n".join(lines) + "\n"
