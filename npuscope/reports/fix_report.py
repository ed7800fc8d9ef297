"""The edits worth making, of a layer or of the whole model: as text, and as JSON (the contract "npuscope.fix/1")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from npuscope.edits.edit import Edit
from npuscope.edits.registry import to_data, words_of
from npuscope.model.names import printable, typed
from npuscope.npu.figures import thousands
from npuscope.npu.times import in_ms, table_change, table_ms
from npuscope.planning.outcome import Outcome
from npuscope.planning.proposals import Preview
from npuscope.planning.ranked_fixes import Worth, worth
from npuscope.reports.json_report import finite, summary_json
from npuscope.reports.plan_report import EXACT_WORDS, summary_line
from npuscope.reports.text_report import WORDS
from npuscope.snapshot import LayerReport, Summary


def layer_text(
    previews: Sequence[Preview], in_model: Sequence[Outcome | None], report: LayerReport, model: float
) -> str:
    """A layer's edits, best first, with what each makes of it; `model` are the milliseconds of the model without."""
    name = printable(report.name)
    if not previews:
        off = report.off_npu
        message = "no single edit brings it closer to the NPU; 'npuscope plan' looks for combinations"
        return f"{name}: {message if off else 'runs on the NPU, and no edit makes it faster'}\n"
    now = (
        f", {in_ms(report.line.milliseconds)} ms of the model's {in_ms(model)} ms"
        if report.cost is not None
        else ""
    )
    lines = [f"{name}: {WORDS[report.placement]}{now}", ""]
    specs = [words_of(one.edit) for one in previews]
    width = max(map(len, specs))
    lines.append(f"{'edit':{width}}  {'after':9}  {'ms':>7}  {'model':>7}  {'cycles':>10}  numbers")
    slower = False
    for spec, one, made in zip(specs, previews, in_model, strict=True):
        if not slower and worth(one, made) is Worth.SLOWER:
            slower = True
            lines.append("slower with one of these:")
        time, change, cycles = ("?", "?", "") if made is None else _cells(made)
        lines.append(
            f"{spec:{width}}  {WORDS[one.after]:9}  {time:>7}  {change:>7}  {cycles:>10}  {EXACT_WORDS[one.exactness]}"
        )
    return "\n".join(lines) + "\n"


def _cells(made: Outcome) -> tuple[str, str, str]:
    cycles = "" if not made.cycles else thousands(made.cycles)
    return table_ms(made.milliseconds), table_change(made.change), cycles


def layer_json(one: Preview, made: Outcome | None, report: LayerReport) -> dict[str, Any]:
    """One of a layer's edits, and what it makes of the layer."""
    return {
        "edit": one.edit.describe(),
        "words": words_of(one.edit),
        "recipe": to_data(one.edit),
        "exactness": one.exactness.value,
        "placement_before": one.before.value,
        "placement_after": one.after.value,
        "cycles_before": report.line.cycles,
        "cycles_after": None if made is None else made.cycles,
        "ms_before": None if report.cost is None else finite(report.line.milliseconds),
        "ms_after": None if made is None else finite(made.milliseconds),
        "model_ms_after": None if made is None else finite(made.model),
        "layers": list(one.added),
    }


def model_text(rows: Sequence[tuple[Edit, Summary | None]], before: Summary, free: Sequence[str]) -> str:
    """The edits that help the whole model; None stands for a model that cannot be judged before sizes are given."""
    lines = [f"now  {summary_line(before)}", ""]
    for edit, after in rows:
        sizes = "".join(f" {typed(f'{name}=N')}" for name in free) if edit.kind == "fix-dimensions" else ""
        lines.append(f"{words_of(edit)}{sizes}")
        lines.append(f"     {printable(edit.describe())} ({edit.exactness.value})")
        lines.append(
            f"     {summary_line(after)}" if after is not None else "     judged once its sizes are given"
        )
    if not rows:
        lines.append("no single edit of the whole model, or of its slowest layers, saves time")
    lines += ["", "'--layer NAME' lists all edits of a layer, 'npuscope plan' looks through all layers"]
    return "\n".join(lines) + "\n"


def model_json(edit: Edit, after: Summary | None) -> dict[str, Any]:
    """One of the edits that help the whole model."""
    return {
        "edit": edit.describe(),
        "words": words_of(edit),
        "recipe": to_data(edit),
        "exactness": edit.exactness.value,
        "after": None if after is None else summary_json(after),
    }
