"""Lowering of what the ARITH, ACTIV and POOL units do."""

from __future__ import annotations

import math
from collections.abc import Iterator

from npuscope.machine.machine import Target
from npuscope.model.layers import Layer, Operand
from npuscope.neural_art.lowering.lower import SUM_BYTES, Lowering, Placed, size
from npuscope.neural_art.lowering.steps import Read, Step
from npuscope.neural_art.mapping.bounds import cuts_nothing
from npuscope.neural_art.mapping.facts import signed_zero_point, sums_to_floats
from npuscope.neural_art.mapping.swish import fills_its_range, gated_by
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


def zero_point(operand: Operand) -> int:
    """The int8 zero point, 0 where there is none."""
    return signed_zero_point(operand.quant) if operand.quant is not None and operand.quant.scale.size else 0


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
        reads = [stream(lowering, layer, operands[0], total)]
        if rest:
            reads.append(stream(lowering, layer, rest[0], lowering.name(rest[0].tensor)))
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


def product(lowering: Lowering, item: Placed) -> None:
    """(x - zx)(y - zy): x*y, then -zy*x where zy is not 0, then -zx*y where zx is not 0; constants go into the last.

    In software (a broadcast of both operands) the product itself is a software step and the corrections are not.
    """
    layer = item.layer
    result = lowering.result(layer)
    count = max(size(layer.output), 1)
    if len(layer.inputs) != 2:
        return
    first, second = layer.inputs
    if second.constant is None and first.constant is not None:
        first, second = second, first
    batch = carried(lowering, layer)
    if (value := swish(lowering, layer)) is not None:
        from_value = (lowering.read(value.tensor),)
        step = Step(
            "Swish", layer.name, Placement.HW, from_value, (result,), activ=1, lead=True, elements=count
        )
        lowering.grouped.add(lowering.add(step, batch))
        return
    parts: list[tuple[str, list[Read]]] = [("Mul", [])]
    for operand in (first, second):
        if operand.constant is None:
            parts[0][1].append(stream(lowering, layer, operand, lowering.name(operand.tensor)))
    for corrected, other in ((first, second), (second, first)):
        if zero_point(other) and other.quant is not None:
            own = corrected.constant is None
            parts.append(
                ("Add", [stream(lowering, layer, corrected, lowering.name(corrected.tensor))] if own else [])
            )
    before = ""
    for k, (op, reads) in enumerate(parts):
        last = k == len(parts) - 1
        sources = [lowering.read(before)] if before else []
        on_cpu = k == 0 and item.placement.on_cpu
        step = Step(
            op,
            layer.name,
            item.placement if on_cpu else Placement.HW,
            once_each(sources + reads),
            (result if last else f"{layer.name}#{k}",),
            arith=0 if on_cpu else 1,
            lead=k == 0,
            elements=count,
            width=SUM_BYTES,
            corrects=k == 2 and of_two_maps(lowering, layer),
        )
        before = lowering.add(step, batch)


READ_AT_ONCE_FROM = "4.0"
"""Version from which all three steps of a product of two maps share an epoch."""


def of_two_maps(lowering: Lowering, layer: Layer) -> bool:
    """A product of two different maps of several positions, up to 3.0: its second correction is kept apart from it.

    The graph of yolov8_face (2.2) names the steps (`STEP_RULES` of evidence.py: second_correction_apart); so do buffers of two
    EfficientNetV2-B1 (vox-haolin/992_PlantDoctor, andre1012345/STM32N6-digits-recognition) and a yolov8n (2.0:
    ailparper/STM32N647-YOLOV8-FireDetect). Products by a vector, or of one position, do not.
    """
    dims = layer.output.dims if layer.output is not None else None
    maps = {o.tensor for o in lowering.activations(layer) if size(o) == size(layer.output)}
    if lowering.target.toolchain.at_least(READ_AT_ONCE_FROM) or dims is None or len(maps) != 2:
        return False
    return math.prod(dims[2:]) > 1


def swish(lowering: Lowering, layer: Layer) -> Operand | None:
    """x of a Mul of x and Sigmoid(x), which one ACTIV unit evaluates from 2.1 on; the Sigmoid has no other reader.

    `Toolchain.recognises_swish` has the evidence; in a yolov8n of 2.0 (chen-auspice/AI_Steel_Detection) none is one.
    """
    if not lowering.target.recognises_swish or layer.kind != "Mul" or len(layer.inputs) != 2:
        return None
    for value, gate in (layer.inputs, layer.inputs[::-1]):
        writer = lowering.layers.writers.get(gate.tensor)
        if value.constant is None and writer is not None and swish_of(lowering, writer) is layer:
            return value
    return None


def swish_of(lowering: Lowering, layer: Layer) -> Layer | None:
    """The Mul that makes a Swish of a Sigmoid; without the build's option only of one in steps of 1/256."""
    if not (lowering.target.build.swish or fills_its_range(layer.output)):
        return None
    return gated_by(layer, lowering.layers)


def stream(lowering: Lowering, layer: Layer, operand: Operand, name: str) -> Read:
    """An operand of an elementwise step.

    It comes from memory where it is repeated along the other one, and where it is written in other batches than the
    step works in (Add_15 of blazeface_128: 24 channels at a time beside 8).
    """
    complete = size(operand) == size(layer.output) or size(layer.output) == 0
    batch = lowering.batches.get(name, 0) if complete else 0
    alike = complete and (not batch or batch == carried(lowering, layer)) and not sum_apart(lowering, layer)
    return lowering.read(name, chained=alike)


ROWS_APART = ("2.2", "3.0")
"""Versions from the one to before the other in which a sum of two maps of one row reads memory."""


def apart_in_rows(target: Target, result: Operand | None) -> bool:
    """A map of one row of several channels and positions is summed from memory.

    Six of six Adds of two eight-channel networks (FRIENDA256/stm32N6_AI, 2.2), one of them behind a float kernel, and three of
    a TC-ResNet8 (AbhiMalappa/tinybench, 2.2); none of six in speech_tcnn_257 (2.0).
    """
    first, before = ROWS_APART
    dims = result.dims if result is not None else None
    if dims is None or not target.toolchain.at_least(first) or target.toolchain.at_least(before):
        return False
    return len(dims) in (3, 4) and min(dims[1], dims[-1]) > 1 and math.prod(dims[2:-1]) == 1


def sum_apart(lowering: Lowering, layer: Layer) -> bool:
    """Two activations of one row are joined."""
    return apart_in_rows(lowering.target, layer.output) and len(lowering.activations(layer)) == 2


def once_each(reads: list[Read]) -> tuple[Read, ...]:
    """A tensor read twice by one step comes from memory both times."""
    names = [read.tensor for read in reads]
    return tuple(r._replace(chained=False) if names.count(r.tensor) > 1 else r for r in reads)


def carried(lowering: Lowering, layer: Layer) -> int:
    """The batch an elementwise layer keeps: that of its first operand of full size."""
    for operand in lowering.activations(layer):
        if size(operand) == size(layer.output):
            return lowering.batch(operand)
    return 0


def along_last_axis(layer: Layer) -> bool:
    """A constant vector along the last of three dimensions: the unit writes row by row, nothing is chained to it."""
    result = layer.output.dims if layer.output is not None else None
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
    if layer.kind in ("Relu", "Clip") and cuts_nothing(layer):
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

    above = unit("Relu", (lowering.read(name),), f"{layer.name}#above", activ=1)
    below = unit("Clip", (lowering.read(name),), f"{layer.name}#below")
    below = unit("Mul", (lowering.read(below),), f"{layer.name}#product")
    if zero_point(source):
        below = unit("Add", (lowering.read(below),), f"{layer.name}#corrected")
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
    if source.quant is not None and layer.output is not None and source.quant.same_as(layer.output.quant):
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
