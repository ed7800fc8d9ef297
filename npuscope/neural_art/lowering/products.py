"""Lowering of products: one step, corrections for zero points, and the Swish that one ACTIV unit evaluates."""

from __future__ import annotations

from npuscope.model.layers import Layer, Operand
from npuscope.neural_art.lowering.lower import Lowering, Placed
from npuscope.neural_art.lowering.operands import carried, once_each, stream, zero_point
from npuscope.neural_art.lowering.steps import Read, Step
from npuscope.neural_art.mapping.shapes import positions
from npuscope.neural_art.mapping.sizes import SUM_BYTES, size
from npuscope.neural_art.mapping.swish import fills_its_range, gated_by
from npuscope.npu.verdict import Placement


def product(lowering: Lowering, item: Placed) -> None:
    """(x - zx)(y - zy): x*y, then -zy*x where zy is not 0, then -zx*y where zx is not 0 (`corrections`); constants go into the last.

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
    for corrected, other in corrections(lowering, first, second):
        if zero_point(other) and other.quant is not None:
            own = corrected.constant is None
            parts.append(
                ("Add", [stream(lowering, layer, corrected, lowering.name(corrected.tensor))] if own else [])
            )
    before, apart = "", 1 if second_first(lowering) else 2
    two_corrections = len(parts) == 3 and of_two_maps(lowering, layer)
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
            corrects=k == apart and two_corrections,
            corrected=2 if k == 0 and two_corrections and second_first(lowering) else 0,
        )
        before = lowering.add(step, batch)


def second_first(lowering: Lowering) -> bool:
    """From 4.0 on the correction that reads the second operand comes first, and of two none that fetches it shares the product's epoch.

    Both products of a convolution and of what lies in memory in LiSenNet, and both of what the CPU wrote (LarocheC/eco8-neaixt,
    4.0.1, its profile): the product in the one's epoch, both corrections in the next. inferred: the order tells why.

    It joins a convolution only where both would find an ARITH unit as well: x * relu6(x + 3) / 6 of an SSDLite with MobileNetV3 takes
    three epochs by the sums of its cycles (Estadio-do-Dragao-app/STM32N6-GettingStarted-ObjectDetection, 4.0.0): 8.22 million compute
    cycles of 8.25, 6.62 with two.
    """
    return lowering.toolchain.second_correction_first


def corrections(lowering: Lowering, first: Operand, second: Operand) -> tuple[tuple[Operand, Operand], ...]:
    """What each correction reads, and whose zero point it takes."""
    pairs = (first, second), (second, first)
    return pairs[::-1] if second_first(lowering) else pairs


def of_two_maps(lowering: Lowering, layer: Layer) -> bool:
    """A product of two different maps of several positions: a correction that fetches what the product fetches is kept apart.

    The graph of yolov8_face (2.2) names the steps (`STEP_RULES` of evidence.py: second_correction_apart); so do buffers of two
    EfficientNetV2-B1 (vox-haolin/992_PlantDoctor, andre1012345/STM32N6-digits-recognition) and a yolov8n (2.0:
    ailparper/STM32N647-YOLOV8-FireDetect). Products by a vector, or of one position, do not; nor from 4.0 on x * Sigmoid(x), with
    which the totals of yolov8n_micro_224 agree.
    """
    dims = layer.output_dims
    maps = {o.tensor for o in lowering.activations(layer) if size(o) == size(layer.output)}
    if dims is None or len(maps) != 2 or (second_first(lowering) and gates(lowering, layer)):
        return False
    return positions(dims) > 1


def gates(lowering: Lowering, layer: Layer) -> bool:
    """A product of x and Sigmoid(x)."""
    writers = [lowering.writer(operand.tensor) for operand in layer.inputs]
    return any(
        w is not None and w.kind == "Sigmoid" and gated_by(w, lowering.layers) is layer for w in writers
    )


def swish(lowering: Lowering, layer: Layer) -> Operand | None:
    """x of a Mul of x and Sigmoid(x), which one ACTIV unit evaluates from 2.1 on; the Sigmoid has no other reader.

    `Toolchain.recognises_swish` has the evidence; in a yolov8n of 2.0 (chen-auspice/AI_Steel_Detection) none is one.
    """
    if not lowering.target.recognises_swish or layer.kind != "Mul" or len(layer.inputs) != 2:
        return None
    for value, gate in (layer.inputs, layer.inputs[::-1]):
        writer = lowering.writer(gate.tensor)
        if value.constant is None and writer is not None and swish_of(lowering, writer) is layer:
            return value
    return None


def swish_of(lowering: Lowering, layer: Layer) -> Layer | None:
    """The Mul that makes a Swish of a Sigmoid; without the build's option only of one in steps of 1/256."""
    if not (lowering.target.build.swish or fills_its_range(layer.output)):
        return None
    return gated_by(layer, lowering.layers)
