"""Lowering of what the POOL units do."""

from __future__ import annotations

import math

from npuscope.machine.machine import Target
from npuscope.model.layers import Layer
from npuscope.neural_art.lowering.lower import Lowering, Placed
from npuscope.neural_art.lowering.planes import padded_map, planes_of
from npuscope.neural_art.lowering.steps import Step
from npuscope.neural_art.lowering.units import printed
from npuscope.neural_art.mapping.capacity import largest_divisor
from npuscope.neural_art.mapping.layout import pool_strides, pool_window
from npuscope.neural_art.mapping.operators import AVERAGES
from npuscope.neural_art.mapping.scales import stored_alike
from npuscope.neural_art.mapping.shapes import positions
from npuscope.neural_art.mapping.sizes import size
from npuscope.npu.verdict import Placement

POOL_BATCH = 8
"""Channels a POOL accelerator takes at a time, at most (ocr_det_160, blazeface_128)."""

STAGE = 3
"""Window of a stage: a larger MaxPool with stride 1 is as many stages as it takes, two POOL units an epoch."""


def pooling(lowering: Lowering, item: Placed) -> None:
    """One POOL step, and one ARITH step where the result has another scale."""
    layer = item.layer
    source = layer.input
    if source is None:
        return
    if staged(layer):
        stages(lowering, layer)
        return
    channels = source.dims[1] if source.dims is not None and len(source.dims) > 1 else 0
    name = lowering.name(source.tensor)
    if padded_on_one_side(layer):
        name = padded(lowering, layer, name)
    chained = 0 < lowering.batches.get(name, 0) <= POOL_BATCH and not pooled_apart(lowering, layer, name)
    batch = lowering.batches[name] if chained else largest_divisor(channels, POOL_BATCH) if channels else 0
    count = size(source)
    rescaled = changes_scale(layer) and not scales_itself(layer, lowering.target)
    result = lowering.result(layer)
    step = Step(
        printed(layer.kind),
        layer.name,
        Placement.HW,
        (lowering.read(name, chained),),
        (f"{layer.name}#pool" if rescaled else result,),
        pool=1,
        lead=True,
        elements=count,
        stored_bytes=size(layer.output),
    )
    pooled = lowering.add(step, batch)
    if rescaled:
        rescale(lowering, layer, pooled, result, batch)


def pooled_apart(lowering: Lowering, layer: Layer, source: str) -> bool:
    """What sub-masks of a larger kernel were summed to is pooled from memory, but for a mean of the whole map.

    mnist-12 (LarocheC/stm32n6-deployment-zoo, 4.0.1), two 5x5 each with a MaxPool behind: eight epochs, five without this, and
    20,246 cycles in all, to the digit: the 6,272 and 3,136 elements before the poolings pass twice. A 5x5 and a mean of its map
    are one epoch (conv2d_32f_5x5, 4.0.0). inferred: it may be the sums that read memory where a pooling follows; the epochs
    are as many, and as long.
    """
    if source not in lowering.summed or not lowering.toolchain.pools_sums_apart:
        return False
    before, after = layer.input_dims, layer.output_dims
    return before is None or after is None or positions(after) > 1


def changes_scale(layer: Layer) -> bool:
    """The result is stored with another scale or zero point than what is pooled."""
    source, result = layer.input, layer.output
    return (
        source is not None
        and source.quant is not None
        and result is not None
        and not stored_alike(source.quant, result.quant)
    )


def scales_itself(layer: Layer, target: Target) -> bool:
    """An average with another scale than its map: it is multiplied by a constant in any case, which does both.

    EfficientNetV2-B1 (4.0.0, andre1012345/STM32N6-digits-recognition): a depthwise convolution whose bias and Swish take all four
    ARITH units has the mean of it, in the mean's own scale, in the same epoch.
    """
    return layer.kind in AVERAGES and target.toolchain.averages_rescale and changes_scale(layer)


def rescale(lowering: Lowering, layer: Layer, source: str, result: str, batch: int) -> None:
    """An ARITH unit brings a result to its own scale."""
    step = Step(
        "Add",
        layer.name,
        Placement.HW,
        (lowering.read(source),),
        (result,),
        arith=1,
        elements=size(layer.output),
    )
    lowering.add(step, batch)


def padded_on_one_side(layer: Layer) -> bool:
    """A window of 2 that moves by 1 over a map that keeps its size: one row and one column are added on one side."""
    window = pool_window(layer)
    if layer.kind != "MaxPool" or window is None or len(window) != 2 or set(window) != {2}:
        return False
    before, after = layer.input_dims, layer.output_dims
    return before is not None and before == after and set(pool_strides(layer)) == {1}


def padded(lowering: Lowering, layer: Layer, source: str) -> str:
    """The Pad of such a pooling is a depthwise CONV, which reads memory plane by plane.

    A TinyYOLOv2 has an epoch for it that reads one weight for each of 512 channels (x-cube-n6-ai-power-measurement), and one
    epoch more than without in 2.0 and 4.0 (Han-Sang-min/STM32N6_AI, PeleAB/STM32N6-FaceRecognition). Of 512 x 7 x 7 it takes
    32,768 cycles, one for each of the 512 x 8 x 8 values it writes (x-cube-n6-ai-power-measurement, 3.0). With -O3 up to 2.2 the map is
    copied to planes before, as for stages (LeakyReLU_36_out_0_cp_in_19, zhaoyu-cmd/STM32N647-Cow-Parturition-Monitoring-System, 2.1).
    """
    dims = layer.input_dims
    if lowering.target.copies_features and lowering.batches.get(source, 0) != 1:
        source = planes_of(lowering, layer, source)
    values = math.prod(dims[:2]) * math.prod(side + 1 for side in dims[2:]) if dims is not None else 0
    return padded_map(lowering, layer, source, f"{layer.name}#pad", values)


def staged(layer: Layer) -> bool:
    """A padded MaxPool whose window is larger than a stage's, with stride 1: those of YOLO's SPP and SPPF blocks."""
    window = pool_window(layer)
    if layer.kind != "MaxPool" or window is None or len(window) != 2 or len(set(window)) > 1:
        return False
    same = layer.input_dims is not None and layer.input_dims == layer.output_dims
    return same and window[0] > STAGE and window[0] % 2 == 1 and set(pool_strides(layer)) == {1}


def stage_count(layer: Layer) -> int:
    """Poolings of 3 x 3 that make one of a larger window."""
    window = pool_window(layer)
    return window[0] // 2 if window else 1


def stages(lowering: Lowering, layer: Layer) -> None:
    """A copy to planes, a Pad as a depthwise convolution, and (k - 1) / 2 stages of 3x3 (9 of 9; 2.0, 2.2, 3.0).

    What another staged pooling leaves lies in planes already. The copy serves all poolings that read the tensor.
    """
    window = pool_window(layer)
    if layer.input is None or layer.input.dims is None or window is None:
        return
    _, channels, height, width = layer.input.dims
    reach, count = window[0] - 1, window[0] // 2
    source, result = lowering.name(layer.input.tensor), lowering.result(layer)
    if source not in lowering.planes:
        source = planes_of(lowering, layer, source)
    values = channels * (height + reach) * (width + reach)
    before = padded_map(lowering, layer, source, f"{layer.name}#pad", values)
    rescaled = changes_scale(layer)
    for stage in range(count):
        last = stage == count - 1
        left = reach - (STAGE - 1) * stage
        written = result if last and not rescaled else f"{layer.name}#stage{stage}"
        step = Step(
            "MaxPool", layer.name, Placement.HW, (lowering.read(before),), (written,), pool=1, lead=last,
            elements=channels * (height + left) * (width + left),
        )  # fmt: skip
        before = lowering.add(step, 1)
    if rescaled:
        rescale(lowering, layer, before, result, 1)
    if any(staged(reader) for reader in lowering.readers(result)):
        lowering.planes.add(result)
