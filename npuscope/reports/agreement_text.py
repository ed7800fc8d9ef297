"""How far prediction and tools agree, and for which build, as lines of text."""

from __future__ import annotations

from npuscope.machine.build import Build
from npuscope.model.names import printable
from npuscope.neural_art.comparison.values import Comparison, CpuEpochs, Tally
from npuscope.npu.figures import plural


def agreement_lines(comparison: Comparison) -> list[str]:
    """How far prediction and tools agree."""
    agreement = comparison.agreement
    if agreement is None:
        return []
    named = (
        ("placement", agreement.placement),
        ("compute cycles", agreement.compute_cycles),
        ("choked ports", agreement.choked_ports),
        ("SIMD mode", agreement.simd),
        ("Deep1x1", agreement.deep1x1),
        ("CAs in series", agreement.accelerators),
    )
    ratios = [f"{name} {_ratio(tally)}" for name, tally in named if tally.compared]
    lines = [
        f"{plural(agreement.layers, 'layer')}, agreement: {', '.join(ratios) if ratios else 'nothing to compare'}"
    ]
    predicted, actual = agreement.epochs_predicted, agreement.epochs_actual
    if actual[0] is not None:
        lines.append(
            f"epochs: {predicted[0]} predicted ({predicted[1]} hybrid, {predicted[2]} software), "
            f"{actual[0]} actual ({_known(actual[1])} hybrid, {_known(actual[2])} software)"
        )
    if agreement.cpu_epochs is not None:
        lines.append(cpu_epochs_line(agreement.cpu_epochs))
    if agreement.milliseconds_actual is not None and agreement.milliseconds_predicted is not None:
        off = (
            agreement.milliseconds_predicted / agreement.milliseconds_actual - 1
            if agreement.milliseconds_actual
            else 0.0
        )
        lines.append(
            f"time: {agreement.milliseconds_predicted:.4g} ms predicted, {agreement.milliseconds_actual:.4g} ms measured "
            f"({off:+.0%})"
        )
    return lines


def cpu_epochs_line(epochs: CpuEpochs) -> str:
    """'epochs that need the CPU: F1 0.87 (13 in both; not predicted: 3 Concat)'."""
    sides = (("not predicted", epochs.missing), ("only predicted", epochs.invented))
    parts = [f"{epochs.common} in both"]
    parts += [
        f"{what}: {', '.join(f'{count} {printable(op)}' for op, count in counts[:8])}"
        for what, counts in sides
        if counts
    ]
    return f"epochs that need the CPU: F1 {epochs.f1:.2f} ({'; '.join(parts)})"


def build_line(build: Build) -> str:
    """The options and pools of the prediction, where any is known."""
    options = [
        *(f"--input-data-type {','.join(build.input_data_types)}" for _ in build.input_data_types[:1]),
        *(f"--output-data-type {','.join(build.output_data_types)}" for _ in build.output_data_types[:1]),
        *(
            f"--inputs-ch-position {','.join(build.input_channel_positions)}"
            for _ in build.input_channel_positions[:1]
        ),
        *(
            f"--outputs-ch-position {','.join(build.output_channel_positions)}"
            for _ in build.output_channel_positions[:1]
        ),
        *([f"-O{build.optimization}"] if build.optimization.isdecimal() else []),
        *([f"--O{build.scheduler}-sched"] if build.scheduler in ("auto", "alt") else []),
        *(["--enable-epoch-controller"] if build.epoch_controller else []),
        *(["--SWISH-recognition"] if build.swish else []),
    ]
    pools = (
        [f"pools of {printable(build.mpool.replace(chr(92), '/').rsplit('/', 1)[-1])}"] if build.pools else []
    )
    board = [f"board {printable(build.board.name)}"] if build.board is not None else []
    return ", ".join([" ".join(options), *pools, *board] if options else [*pools, *board])


def _known(count: int | None) -> str:
    return "?" if count is None else str(count)


def _ratio(tally: Tally) -> str:
    return f"{tally.same} of {tally.compared}"
