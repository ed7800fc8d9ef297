"""What the memory screen says: pools, activations over time, and what would change."""

from __future__ import annotations

from collections.abc import Sequence

from npuscope.machine.machine import Target
from npuscope.machine.what_if import SLOW_FLASH_HZ, Options
from npuscope.model.brief import Names
from npuscope.neural_art.schedule.buffer_lifetimes import Lifetimes
from npuscope.npu.cost import Pool
from npuscope.npu.figures import plural
from npuscope.snapshot import Snapshot, Summary
from npuscope.widgets.bars.figure_bars import bar, columns
from npuscope.widgets.panes.neighbourhood import without_ending
from npuscope.widgets.text.cells import cells, clip, left, right, shown
from npuscope.widgets.text.figures import became, bytes_, percent
from npuscope.widgets.text.layer_names import listed, names_of_few, shown_of
from npuscope.widgets.text.spans import BLANK, Line, Span, line, quiet, strong, wrap

_NAME, _SIZE = 13, 10


def memory_text(snapshot: Snapshot, lifetimes: Lifetimes | None, width: int, rows: int) -> list[Line]:
    """Pools, then activations over time."""
    return [*pools(snapshot, width), BLANK, *_over_time(snapshot, lifetimes, width, rows)]


def pools(snapshot: Snapshot, width: int) -> list[Line]:
    """Each pool with what lies in it; those that hold nothing in one line."""
    room = max(width - _NAME - 2 * _SIZE - 6, 4)
    lines = [
        line(
            Span(
                left("pool", _NAME) + right("used", _SIZE) + right("of", _SIZE) + right("%", 5) + " ", "title"
            ),
            Span("█ ", "accent"), quiet("weights "), Span("█ ", "hw"), quiet("activations"),
        )
    ]  # fmt: skip
    memory = snapshot.memory
    among = names_of_few(tuple(pool.name for pool in memory.pools))
    lines += [_pool(pool, among, room) for pool in memory.pools if pool.used]
    unused = [(shown_of(among, pool.name, 24), pool) for pool in memory.pools if not pool.used]
    if unused:
        names = ", ".join(f"{name} {bytes_(pool.size)}" for name, pool in unused)
        if cells(names) > width - _NAME:
            names = ", ".join(name for name, _ in unused)
        lines.append(line(quiet(clip(f"{left('empty', _NAME)}{names}", width))))
    over = sum(max(pool.used - pool.size, 0) for pool in memory.pools)
    if over:
        text = f"does not fit: {bytes_(over)} too much"
        lines += wrap(line(Span("✗ ", "sw"), Span(text, "sw-strong")), width, 2)
    return lines


def _pool(pool: Pool, among: Names, room: int) -> Line:
    full = pool.used / pool.size if pool.size else 1.0
    role = "sw-strong" if full > 1 else "text"
    return line(
        Span(left(shown_of(among, pool.name, _NAME - 1), _NAME), "text"),
        Span(right(bytes_(pool.used), _SIZE), role),
        quiet(right(bytes_(pool.size), _SIZE)),
        Span(right(percent(full), 5) + " ", role),
        *bar(
            ((pool.weights, "sw" if full > 1 else "accent"), (pool.activations, "hw")),
            max(pool.size, pool.used),
            room,
        ),
    )


def _over_time(snapshot: Snapshot, lifetimes: Lifetimes | None, width: int, rows: int) -> list[Line]:
    if lifetimes is None:
        return [line(quiet("…"))]
    if not lifetimes.alive or not max(lifetimes.alive):
        return [line(quiet("No activations."))]
    index = lifetimes.peak
    epoch = snapshot.epochs[index]
    title = f"activations over {plural(len(lifetimes.alive), 'epoch')}"
    lines = [line(Span(title, "title"), quiet(f"  at most {bytes_(lifetimes.alive[index])} at once"))]
    lines += columns(lifetimes.alive, width, rows, index)
    names = ", ".join(listed(epoch.layers[:4], 32)) or f"{epoch.op}, added by the compiler"
    more = f" and {len(epoch.layers) - 4} more" if len(epoch.layers) > 4 else ""
    lines += wrap(
        line(Span("█ ", "attention"), quiet(f"peak in epoch {epoch.index}: "), strong(names), quiet(more)),
        width,
        2,
    )
    buffers = lifetimes.at(index)
    text = ", ".join(
        f"{name} {bytes_(buffer.size)}"
        for name, buffer in zip(
            buffer_names([b.name for b in buffers[:3]], max(width // 2, 28)), buffers[:3], strict=True
        )
    )
    if text:
        rest = f" and {len(buffers) - 3} more" if len(buffers) > 3 else ""
        lines += wrap(line(quiet(f"  alive: {text}{rest}")), width, 2)
    return lines


def buffer_names(names: Sequence[str], width: int) -> list[str]:
    """The tensors that buffers hold, without what a quantizer puts behind their names where that tells none apart."""
    bare = [without_ending(name) for name in names]
    return listed(bare if len(set(bare)) == len(set(names)) else names, width)


def switches(wanted: Options, base: Target) -> list[Line]:
    """The what-ifs with their ticks."""
    rows = (
        (wanted.on_chip, "weights in NPU RAM too", "no external memory"),
        (wanted.nominal, "nominal clocks", "NPU at 800 MHz, CPU at 600 MHz"),
        (wanted.epoch_controller, "epoch controller", "epochs are started by the NPU, not the CPU"),
        (wanted.slow_flash, f"external memories at {SLOW_FLASH_HZ // 1_000_000} MHz", "as boards may boot"),
        (bool(wanted.mpool), "pools of an .mpool file", wanted.mpool or base.mpool),
    )
    return [
        line(
            Span("[x] " if ticked else "[ ] ", "accent" if ticked else "quiet"),
            Span(left(name, 30), "text"),
            quiet(shown(about, 44)),
        )
        for ticked, name, about in rows
    ]


def outcome(before: Summary, after: Summary | None, changed: bool, width: int) -> list[Line]:
    """The model as it is, and under the switches."""
    if not changed:
        text = "Space toggles; the effect shows here."
        return list(wrap(line(quiet(text)), width))
    if after is None:
        return [line(quiet("…"))]
    parts: list[Span | str] = [
        strong(became(before.milliseconds, after.milliseconds)),
        quiet(_factor(before.milliseconds, after.milliseconds)),
    ]
    if before.cycles != after.cycles:
        ratio = after.cycles / before.cycles if before.cycles else 1.0
        parts.append(quiet(f" · cycles with memory × {ratio:.2f}"))
    if before.off_npu != after.off_npu:
        role = "sw-strong" if after.off_npu > before.off_npu else "hw"
        parts += [
            quiet(" · "),
            Span(f"{before.off_npu} → {plural(after.off_npu, 'layer')} off the NPU", role),
        ]
    if before.epochs != after.epochs:
        parts.append(quiet(f" · {before.epochs} → {after.epochs} epochs"))
    return list(wrap(line(*parts), width))


def _factor(before: float, after: float) -> str:
    if not before or not after or abs(before / after - 1) < 0.005:
        return "  the same"
    factor = before / after
    return f"  {factor:.2f} x faster" if factor > 1 else f"  {1 / factor:.2f} x slower"
