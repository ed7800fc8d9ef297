"""What an intermediate model does at its inputs: its front end wrote what is to be compiled, so nothing is left out."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.graph import Graph
from npuscope.model.layers import FLOATS, Layers, Operand
from npuscope.neural_art.lowering.lower import FLOAT_BYTES, size
from npuscope.npu.cost import Epoch, Inserted, Move
from npuscope.npu.verdict import Placement


def quantized_inputs(graph: Graph, layers: Layers) -> Iterator[Epoch]:
    """Software epochs that quantize the float inputs of an intermediate model (blazeface_128, epoch 2).

    Of a user's model the front end makes such inputs int8, and the QuantizeLinear goes.
    """
    if not graph.imported:
        return
    for name in graph.inputs:
        stored = quantized(name, layers) if graph.type(name).dtype in FLOATS else None
        if stored is not None:
            floats = f"{name}#float"
            yield Epoch(
                0,
                Placement.SW_FLOAT,
                "QuantizeLinear",
                (),
                inserted=(Inserted("QuantizeLinear", size(stored), layer=layers.readers[name][0].name),),
                moves=(
                    Move(floats, floats, False, "QuantizeLinear", size=FLOAT_BYTES * size(stored)),
                    Move(name, name, True, "QuantizeLinear"),
                ),
            )


def quantized(name: str, layers: Layers) -> Operand | None:
    """What a float input becomes where a QuantizeLinear reads it, at once or behind a view; None where none does."""
    for _ in range(len(layers.layers)):
        readers = layers.readers.get(name, ())
        source = readers[0].input if len(readers) == 1 else None
        result = readers[0].output if readers else None
        if source is None or result is None or source.quant is not None:
            return None
        if result.quant is not None:
            return result
        name = result.tensor
    return None
