"""Lowering of what the ARITH, ACTIV and POOL units do."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer, Operand
from npuscope.neural_art.lowering.lower import Lowering, Placed
from npuscope.neural_art.lowering.operands import carried, once_each, stream, zero_point
from npuscope.neural_art.lowering.products import product, swish_of
from npuscope.neural_art.lowering.steps import Read, Step
from npuscope.neural_art.mapping.bounds import vanishes
from npuscope.neural_art.mapping.floats import sums_to_floats
from npuscope.neural_art.mapping.scales import stored_alike
from npuscope.neural_art.mapping.sizes import SUM_BYTES, size
from npuscope.npu.verdict import Placement

COMMON_NAMES = {
    "Gemm": "Conv",
    "MatMul": "Conv",
    "ConvTranspose": "Conv",
    "ReduceMean": "GlobalAveragePool",
    "ReduceMax": "GlobalMaxPool",
    "Sum": "Add",
    "LogSoftmax": "Softmax",
    "Upsample": "Resize",
}
"""What the compiler's report calls an ONNX operator, where the names differ."""


def printed(kind: str) -> str:
    """The operator as the compiler's report names it."""
    return COMMON_NAMES.get(kind, kind)


def elementwise(lowering: Lowering, item: Placed) -> None:
    """One ARITH step per pair of operands; a product of tensors with zero points takes up to two more."""
    layer = item.layer
    same_layout(lowering, layer)
    if layer.kind == "Mul":
        product(lowering, item)
        return
    result, operands = lowering.result(layer), lowering.activations(layer)
    count = max(size(layer.output), 1)
    if not operands:
        lowering.add(
            Step(
                printed(layer.kind),
                layer.name,
                item.placement,
                (),
                (result,),
                arith=1,
                lead=True,
                elements=count,
            )
        )
        return
    total = lowering.name(operands[0].tensor)
    batch = carried(lowering, layer)
    pairs = max(len(layer.inputs) - 1, 1)
    as_floats = sums_to_floats(layer, lowering.layers, lowering.target)
    rest = operands[1:]
    for k in range(pairs):
        reads = [stream(lowering, layer, operands[0], total, batch)]
        if rest:
            reads.append(stream(lowering, layer, rest[0], lowering.name(rest[0].tensor), batch))
            rest = rest[1:]
        last = k == pairs - 1
        written = result if last else f"{layer.name}#{k}"
        step = Step(
            printed(layer.kind),
            layer.name,
            Placement.HW,
            once_each(reads),
            (written,),
            arith=1,
            lead=last,
            elements=count,
            width=SUM_BYTES,
        )
        total = lowering.add(step, batch)
    if as_floats:
        lowering.floats.add(result)
    if along_last_axis(layer):
        lowering.unchained.add(result)


def same_layout(lowering: Lowering, layer: Layer) -> None:
    """The step works in the batch of its first operand: one that comes in planes behind it is copied into that layout.

    blazeface_128: 10 of 10; a planar operand that comes first is taken as it is, and the result is planar as well.
    """
    inputs = lowering.activations(layer)
    if len(inputs) != 2 or inputs[0].tensor in lowering.planar or inputs[1].tensor not in lowering.planar:
        return
    name, other = lowering.name(inputs[1].tensor), lowering.name(inputs[0].tensor)
    if (
        name in lowering.written
        and lowering.batches.get(other, 0) != 1
        and size(inputs[1]) == size(layer.output)
    ):
        lowering.names[name] = lowering.copy(layer.name, name, f"{name}#laid", size(inputs[1]))


def along_last_axis(layer: Layer) -> bool:
    """A constant vector along the last of three dimensions: the unit writes row by row, nothing is chained to it."""
    result = layer.output_dims
    if result is None or len(result) != 3 or result[1] < 2:
        return False
    constant = next((o for o in layer.inputs if o.constant is not None), None)
    return constant is not None and size(constant) == result[2] > 1 and size(constant) != size(layer.output)


def activation(lowering: Lowering, item: Placed) -> None:
    """One ACTIV step; a Relu or Clip that the range of its input already does is nothing."""
    layer = item.layer
    source = layer.input
    if source is None:
        return
    if vanishes(layer):
        lowering.results_are(layer, source.tensor)
        return
    if lowering.target.recognises_swish and swish_of(lowering, layer) is not None:
        return  # a part of the Mul behind it
    if layer.kind == "PRelu":
        prelu(lowering, layer, source)
        return
    step = Step(
        layer.kind,
        layer.name,
        Placement.HW,
        (lowering.read(source.tensor),),
        (lowering.result(layer),),
        activ=1,
        lead=True,
        elements=size(layer.output),
    )
    lowering.add(step, lowering.batch(source))


def prelu(lowering: Lowering, layer: Layer, source: Operand) -> None:
    """max(x, 0) + slope * min(x, 0): one ACTIV and four ARITH steps, three where x has no zero point (77 of 77; 2.1, 2.2).

    A product of a tensor with a zero point by slopes takes a correction, as a Mul does.
    """
    name, result = lowering.name(source.tensor), lowering.result(layer)
    batch, count = lowering.batches.get(name, 0), size(layer.output)

    def unit(op: str, reads: tuple[Read, ...], written: str, activ: int = 0, lead: bool = False) -> str:
        step = Step(
            op, layer.name, Placement.HW, reads, (written,), activ=activ, arith=1 - activ, lead=lead, elements=count,
            width=SUM_BYTES if op == "Mul" else 1,
        )  # fmt: skip
        return lowering.add(step, batch)

    below = unit("Clip", (lowering.read(name),), f"{layer.name}#below")
    below = unit("Mul", (lowering.read(below),), f"{layer.name}#product")
    if zero_point(source):
        below = unit("Add", (lowering.read(below),), f"{layer.name}#corrected")
    above = unit("Relu", (lowering.read(name),), f"{layer.name}#above", activ=1)
    unit("Add", (lowering.read(above), lowering.read(below)), result, lead=True)


def fused_steps(layer: Layer) -> Iterator[str]:
    """Activations between a layer and its Q that do not vanish in the output's range."""
    result = layer.output
    for op in layer.fused:
        if op == "Relu" and result is not None and result.quant is not None:
            if result.quant.range[0] >= -float(result.quant.scale.flat[0]) / 2:
                continue
        elif op == "Clip":
            continue  # its bounds are what the range was calibrated on
        yield op


def requantize(lowering: Lowering, item: Placed) -> None:
    """One scale becomes another on an ARITH unit."""
    layer = item.layer
    source = layer.input
    if source is None:
        return
    if layer.output is not None and stored_alike(source.quant, layer.output.quant):
        lowering.results_are(layer, source.tensor)
        return
    read = (lowering.read(source.tensor),)
    step = Step(
        "Add",
        layer.name,
        Placement.HW,
        read,
        (lowering.result(layer),),
        arith=1,
        lead=True,
        elements=size(source),
    )
    lowering.add(step, lowering.batches.get(lowering.name(source.tensor), 0))


def affine(lowering: Lowering, item: Placed) -> None:
    """A BatchNormalization: nothing where a convolution took it along, else a Mul and an Add per channel."""
    layer = item.layer
    source = layer.input
    if source is None:
        return
    if source.quant is None:
        lowering.results_are(layer, source.tensor)
        return
    before, batch = lowering.name(source.tensor), carried(lowering, layer)
    result = lowering.result(layer)
    for op, written, lead in (("Mul", f"{layer.name}#scaled", True), ("Add", result, False)):
        step = Step(
            op, layer.name, Placement.HW, (lowering.read(before),), (written,), arith=1, lead=lead, elements=size(source),
            width=SUM_BYTES,
        )  # fmt: skip
        before = lowering.add(step, batch)
