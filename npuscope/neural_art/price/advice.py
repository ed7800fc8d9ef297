"""What limits a convolution, the next channel counts that are better, and the best that mode and channels give."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from npuscope.machine.machine import Target
from npuscope.model.convolution import Convolution
from npuscope.neural_art.mapping.tiling import choose, features_a_cycle, simd_mode, weights_a_cycle, work
from npuscope.npu.cost import Cost, Tiling
from npuscope.npu.figures import thousands
from npuscope.npu.ledger import Line
from npuscope.record import dataclass

SEARCHED = 32
"""So many channel counts above the present one are tried, and as many in larger steps up to half as many more."""

WORTH = 0.95
"""A channel count is better where it leaves at most this part of the cycles."""


@dataclass(frozen=True, slots=True)
class Better:
    """The next larger number of channels with fewer cycles."""

    inputs: bool
    channels: int
    cycles: int
    """Compute cycles then."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What there is to know about making a layer faster; cycles are compute cycles, with ideal memory.

    1. `limit` is one sentence. `better` has at most one entry for inputs and one for outputs.
    2. `best` is the least that any zero point and any channels up to half as many more reach, and `mode` says how: in
       8x8, the faster mode, with the fewest channels that do; None where the layer is as fast already.
    """

    limit: str
    better: tuple[Better, ...] = ()
    best: int | None = None
    mode: str = ""
    channels: tuple[int, int] | None = None
    """Inputs and outputs with which `best` is reached."""


def advice(
    conv: Convolution, zero_point: int | None, cost: Cost | None, target: Target, line: Line | None = None
) -> Advice:
    """The advice for a quantized convolution, with the memory it waits for; `line` is what it takes in the schedule."""
    advised = _advice(conv, zero_point, target)
    if cost is None or cost.tiling is None:
        return advised
    bound, cycles = (line.bound_by, line.cycles) if line is not None else (cost.bound_by, cost.cycles)
    if cycles is not None and cycles > cost.compute_cycles and bound in {pool.name for pool in target.pools}:
        limit = (
            f"{bound}: its bytes take {thousands(cycles)} cycles, "
            f"the accelerators alone {thousands(cost.compute_cycles)}"
        )
        return replace(advised, limit=limit)
    return advised


@lru_cache(maxsize=1 << 12)
def _advice(conv: Convolution, zero_point: int | None, target: Target) -> Advice:
    simd = simd_mode(zero_point)
    tiling = choose(conv, simd, target)
    present = work(tiling, conv).cycles if tiling is not None else None
    limit = _limit(tiling, conv) if tiling is not None else "no legal tiling with these channels"
    better = tuple(
        advised
        for inputs in (True, False)
        if conv.group == 1 and (advised := _next(conv, simd, inputs, present, target)) is not None
    )
    joined = _with_best(Advice(limit, better), conv, present, target)
    listed = simd == "8x8" and any(one.cycles == joined.best for one in better)
    return Advice(limit, better) if listed else joined


ROUND = (2, 4, 8, 12, 16, 24, 32, 48, 64, 72, 96, 128)
"""Channels are tried in multiples of these: kernels per pass, batch depths and what several CAs take."""


def _with_best(advised: Advice, conv: Convolution, present: int | None, target: Target) -> Advice:
    """The least cycles over zero points and channels together, with the fewest channels that reach them."""
    nearest = {better.inputs: better.channels for better in advised.better}
    inputs: tuple[int, ...] = (conv.in_channels,)
    outputs: tuple[int, ...] = (conv.out_channels,)
    if conv.group == 1:
        inputs = _rounded(conv.in_channels, nearest.get(True))
        outputs = _rounded(conv.out_channels, nearest.get(False))
    least: tuple[int, int, Convolution, Tiling] | None = None
    for ich in inputs:
        for och in outputs:
            wider = replace(conv, in_channels=ich, out_channels=och)
            tiling = choose(wider, "8x8", target)
            if tiling is not None:
                tried = (work(tiling, wider).cycles, ich * och, wider, tiling)
                if least is None or tried[:2] < least[:2]:
                    least = tried
    if least is None or (present is not None and least[0] > WORTH * present):
        return advised
    cycles, _, wider, tiling = least
    parts = [f"8x8{' with Deep1x1' if tiling.deep1x1 else ' with DSS2' if tiling.dss2 else ''}"]
    parts += [
        f"{thousands(count)} {word}"
        for count, before, word in (
            (wider.in_channels, conv.in_channels, "inputs"),
            (wider.out_channels, conv.out_channels, "outputs"),
        )
        if count != before
    ]
    return replace(
        advised, best=cycles, mode=", ".join(parts), channels=(wider.in_channels, wider.out_channels)
    )


def _rounded(channels: int, nearest: int | None) -> tuple[int, ...]:
    """The present number of channels and larger ones worth trying, up to half as many more."""
    most = max(channels + channels // 2, nearest or 0)
    counts = {channels, *([nearest] if nearest is not None else [])}
    counts |= {wanted for step in ROUND if (wanted := -(-channels // step) * step) <= most}
    return tuple(sorted(counts))


def _limit(tiling: Tiling, conv: Convolution) -> str:
    done = work(tiling, conv)
    port = done.choked[0]
    height, width = conv.output_size
    if port == "weights":
        uses = conv.batch * height * width
        rate = weights_a_cycle(tiling.deep1x1)
        times = "once" if uses == 1 else f"{thousands(uses)} times"
        return f"weight port: {thousands(conv.weights)} weights, {rate} a cycle, each used {times}"
    if port == "feat":
        times = "once" if tiling.stationary or tiling.passes == 1 else f"{thousands(tiling.passes)} times"
        return f"features: read {times}, {_lanes(tiling)} a cycle"
    if port == "acc":
        return f"partial sums: through memory in {thousands(tiling.iterations)} iterations"
    return f"output port: {thousands(conv.batch * conv.out_channels * height * width)} outputs, one a cycle"


def _lanes(tiling: Tiling) -> int:
    return tiling.accelerators * features_a_cycle(tiling.deep1x1, tiling.dss2)


def _next(conv: Convolution, simd: str, inputs: bool, present: int | None, target: Target) -> Better | None:
    """The nearest larger number of channels that is worth it, up to half as many more."""
    channels = conv.in_channels if inputs else conv.out_channels
    step = max(channels // 2 // SEARCHED, 1)
    near = range(channels + 1, channels + SEARCHED + 1)
    for wanted in (*near, *range(near.stop - 1 + step, channels + step * SEARCHED + 1, step)):
        wider = replace(conv, in_channels=wanted) if inputs else replace(conv, out_channels=wanted)
        tiling = choose(wider, simd, target)
        if tiling is not None:
            cycles = work(tiling, wider).cycles
            if present is None or cycles <= WORTH * present:
                return Better(inputs, wanted, cycles)
    return None
