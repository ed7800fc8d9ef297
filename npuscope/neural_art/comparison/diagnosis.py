"""Why an operator of the lowering log fell off the NPU, from the log's own numbers."""

from __future__ import annotations

from npuscope.machine.machine import Target
from npuscope.model.convolution import Convolution
from npuscope.neural_art.artefacts.text.names import parse
from npuscope.neural_art.artefacts.values import SW, Lowering
from npuscope.neural_art.comparison.values import OffNpu
from npuscope.neural_art.mapping.tiling import choose
from npuscope.neural_art.rules import BY_CODE

NO_TILING = "N201"


def from_log(lowering: Lowering, target: Target) -> OffNpu:
    """What the log says of an operator in software, with npuscope's reason where the channel number gives one."""
    name = parse(lowering.node)
    off = OffNpu(
        lowering.placement or SW,
        lowering.kind or name.kind,
        node=lowering.node,
        channels=_channels(lowering),
        log=lowering.refusals,
    )
    if lowering.ch is None or lowering.chin is None or (lowering.kind or "Conv") != "Conv":
        return off
    bad = [n for n in dict.fromkeys((lowering.chin, lowering.ch)) if not _tiles(n, lowering, target)]
    if not bad:
        return off
    rule = BY_CODE[NO_TILING]
    note = ""
    ich: int | None = bad[0]
    if len(bad) == 2:
        ich, note = None, "neither count can be tiled as input channels; the log does not tell which one is"
    elif lowering.ch != lowering.chin and bad == [lowering.ch]:
        note = (
            f"{lowering.ch} must be the inputs, since {lowering.chin} could be tiled; "
            "the log's ch and chin appear swapped here"
        )
    subject = (
        f"{ich} input channels" if ich is not None else f"{lowering.ch} or {lowering.chin} input channels"
    )
    return OffNpu(
        off.placement,
        off.op,
        node=off.node,
        channels=off.channels,
        in_channels=ich,
        log=off.log,
        code=rule.code,
        message=f"{subject} cannot be tiled",
        fix=rule.fix,
        note=note,
    )


def _channels(lowering: Lowering) -> str:
    parts = (("ch", lowering.ch), ("chin", lowering.chin))
    return ", ".join(f"{word} {number}" for word, number in parts if number is not None)


def _tiles(ich: int, lowering: Lowering, target: Target) -> bool:
    """Some kernel and zero point allow a tiling of so many input channels; the log gives neither of them."""
    if not 0 < ich <= target.limits.dimension:
        return True  # no such tensor: nothing is said of it
    size = (max(lowering.height or 1, 1), max(lowering.width or 1, 1))
    kernels = ((1, 1),) if size == (1, 1) else ((1, 1), (3, 3))
    return any(
        choose(Convolution(ich, 1, 1, kernel, (1, 1), (1, 1), (0, 0, 0, 0), size, size), simd, target)
        is not None
        for kernel in kernels
        for simd in ("8x8", "16x8")
    )
