"""Where weights and activations lie: buffer lifetimes and pools."""

from __future__ import annotations

from collections.abc import Iterable

from npuscope.cost.values import Memory, Pool
from npuscope.model.graph import Graph
from npuscope.model.layers import Layer, Operand
from npuscope.model.tensors import dtype_bits, elements
from npuscope.target.machine import Target


def allocate(graph: Graph, layers: Iterable[Layer], weights_bytes: int, target: Target) -> Memory:
    """Fill the pools in their order of preference: activations at their peak, then weights."""
    peak = peak_activations(graph, tuple(layers))
    used = dict.fromkeys((pool.name for pool in target.pools), 0)
    for amount, wanted in ((peak, "activations"), (weights_bytes, "weights")):
        left = amount
        pools = [pool for pool in target.pools if getattr(pool, wanted)]
        for pool in pools:
            # What fits nowhere is shown where it would spill to, so that the overflow is seen.
            take = left if pool is pools[-1] else min(left, pool.size - used[pool.name])
            used[pool.name] += take
            left -= take
    pools_used = tuple(Pool(pool.name, pool.size, used[pool.name]) for pool in target.pools)
    return Memory(pools_used, weights_bytes, peak)


def peak_activations(graph: Graph, layers: tuple[Layer, ...]) -> int:
    """Largest sum of the bytes of tensors alive at once, in graph order."""
    size: dict[str, int] = {}
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for i, layer in enumerate(layers):
        for operand in layer.outputs:
            size[operand.tensor] = _bytes(operand)
            first.setdefault(operand.tensor, i)
            last[operand.tensor] = i
        for operand in layer.inputs:
            if operand.constant is None:
                size.setdefault(operand.tensor, _bytes(operand))
                first.setdefault(operand.tensor, 0)
                last[operand.tensor] = i
    for name in graph.outputs:
        if name in last:
            last[name] = len(layers) - 1
    change = [0] * (len(layers) + 1)
    for name, begin in first.items():
        change[begin] += size[name]
        change[last[name] + 1] -= size[name]
    alive = peak = 0
    for step in change:
        alive += step
        peak = max(peak, alive)
    return peak


def _bytes(operand: Operand) -> int:
    if operand.dims is None:
        return 0
    dtype = operand.quant.dtype if operand.quant is not None else operand.type.dtype
    return (elements(operand.dims) * dtype_bits(dtype) + 7) // 8
