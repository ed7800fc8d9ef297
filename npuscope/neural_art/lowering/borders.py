"""The graph's ends: float inputs quantized where an operator that moves values has the QuantizeLinear; ends made uint8."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from npuscope.machine.build import Build
from npuscope.model.graph import Graph
from npuscope.model.layers import FLOATS, QUANTIZE, Layer, Layers, Operand, is_transparent
from npuscope.neural_art.frontend.borders import input_stays_float
from npuscope.neural_art.lowering.lower import INPUT, Lowering, Placed, laid_last
from npuscope.neural_art.lowering.steps import Step, float_name
from npuscope.neural_art.mapping.sizes import FLOAT_BYTES, size
from npuscope.npu.cost import Epoch, Inserted, Move
from npuscope.npu.verdict import Placement


def quantized_inputs(graph: Graph, layers: Layers, build: Build) -> Iterator[Epoch]:
    """Software epochs that quantize float inputs behind a Transpose or a view (blazeface_128, epoch 2).

    Where the front end makes such an input int8, the QuantizeLinear goes. One that is a layer of its own is lowered as such.
    Unless an option asks for it, the front end does so behind one operator at most: behind the Squeeze and the Transpose of a
    TC-ResNet8 the input stays float and is quantized first (AbhiMalappa/tinybench, ONNX, 2.2); yamnet_1024 has the Transpose.
    """
    for name in graph.inputs:
        reading = quantized(name, layers) if graph.type(name).dtype in FLOATS else None
        if reading is None or reading[0].kind == QUANTIZE:
            continue
        asked = build.input_data_type(graph.input_places.get(name, 0)) or graph.imported
        behind = reading[0].input is not None and reading[0].input.tensor != name
        if (behind and not asked) or input_stays_float(name, graph, build):
            reader, stored = reading
            floats = float_name(name)
            yield Epoch(
                0,
                Placement.SW_FLOAT,
                "QuantizeLinear",
                (),
                inserted=(Inserted("QuantizeLinear", size(stored), layer=reader.name),),
                moves=(
                    Move(floats, floats, False, "QuantizeLinear", size=FLOAT_BYTES * size(stored)),
                    Move(name, name, True, "QuantizeLinear"),
                ),
            )


def requantized_end(lowering: Lowering, item: Placed) -> None:
    """int8 of the uint8 that an option asks for, or the other way: an ARITH unit, behind the copy of an input to channels last."""
    layer = item.layer
    source = layer.input
    if source is None:
        return
    name, dims = source.tensor, source.dims or ()
    readers = lowering.layers.readers.get(layer.output.tensor, ()) if layer.output is not None else ()
    if len(dims) == 4 and dims[1] > 1 and prod(dims[2:]) > 1 and any(r.kind == "Conv" for r in readers):
        name = laid_last(lowering, INPUT, layer, name, owner="")
    made, count = lowering.result(layer), size(source)
    step = Step(
        "Add", layer.name, item.placement, (lowering.read(name),), (made,), arith=1, lead=True, elements=count
    )
    lowering.add(step, lowering.batches.get(lowering.name(name), 0))


def quantized(name: str, layers: Layers) -> tuple[Layer, Operand] | None:
    """The layer whose QuantizeLinear reads a float input, at once or behind a view, and what it writes."""
    for _ in range(len(layers.layers)):
        readers = layers.readers.get(name, ())
        source = readers[0].input if len(readers) == 1 else None
        result = readers[0].output if readers else None
        if source is None or result is None or source.quant is not None:
            return None
        if readers[0].kind != QUANTIZE and not is_transparent(readers[0].core):
            return None
        if result.quant is not None:
            return readers[0], result
        name = result.tensor
    return None
