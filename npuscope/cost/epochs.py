"""The sequence of epochs: what the compiler would run as one step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from npuscope.cost.estimate import FREE
from npuscope.cost.values import Cost, Epoch
from npuscope.model.layers import Layer, Layers
from npuscope.placement.verdict import Placement


class Placed(NamedTuple):
    """A layer, where it runs and what it costs."""

    layer: Layer
    placement: Placement
    cost: Cost | None


HEADS = frozenset({"Conv", "Gemm", "MatMul", "ConvTranspose", "AveragePool", "MaxPool", "GlobalAveragePool"})
"""Kinds that always begin a chain: each needs its features from memory."""


def schedule(placed: Iterable[Placed], layers: Layers) -> tuple[Epoch, ...]:
    """Epochs in graph order. A HW layer joins the epoch of its producer where it is that tensor's only reader."""
    chains: list[list[Placed]] = []
    chain_of: dict[str, int] = {}
    for item in placed:
        layer, placement, _ = item
        if placement is Placement.NONE or (placement is Placement.HW and layer.kind in FREE):
            continue
        at = _chain(item, layers, chains, chain_of) if placement is Placement.HW else None
        if at is None:
            chain_of[layer.name] = len(chains)
            chains.append([item])
        else:
            chain_of[layer.name] = at
            chains[at].append(item)
    return tuple(_epoch(i + 1, chain) for i, chain in enumerate(chains))


def _chain(item: Placed, layers: Layers, chains: list[list[Placed]], chain_of: dict[str, int]) -> int | None:
    """The epoch a layer continues, None where it begins one."""
    if item.layer.kind in HEADS:
        return None
    for operand in item.layer.inputs:
        writer = layers.writers.get(operand.tensor)
        if writer is None or writer.name not in chain_of:
            continue
        at = chain_of[writer.name]
        if (
            chains[at][-1].layer is writer
            and chains[at][-1].placement is Placement.HW
            and len(layers.readers.get(operand.tensor, ())) == 1
            and at == len(chains) - 1
        ):
            return at
    return None


def _epoch(index: int, chain: list[Placed]) -> Epoch:
    lead = chain[0]
    costs = [item.cost for item in chain if item.cost is not None]
    return Epoch(
        index=index,
        placement=lead.placement,
        op=lowered_name(lead.layer),
        layers=tuple(item.layer.name for item in chain),
        compute_cycles=max((c.compute_cycles for c in costs), default=0),
        cycles=max((c.cycles for c in costs), default=0),
        milliseconds=max((c.milliseconds for c in costs), default=0.0),
    )


def lowered_name(layer: Layer) -> str:
    """What the compiler's report calls a layer: a Gemm or MatMul is a Conv."""
    return "Conv" if layer.kind in ("Gemm", "MatMul", "ConvTranspose") else layer.kind
