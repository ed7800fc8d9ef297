"""Which features of a convolution are copied into its own layout first."""

from __future__ import annotations

import math

from npuscope.model.convolution import Convolution
from npuscope.neural_art.lowering.lower import Lowering
from npuscope.neural_art.mapping.row_kernels import along_rows
from npuscope.npu.cost import Tiling

BUS_BYTES = 8
"""Bytes of a transfer: fewer channels at a time are copied into a layout of their own first."""

SHORT_ROW = 48
"""Elements of a row (width x channels at a time) below which a depthwise input is copied. inferred: 32 are, 56 are not."""

MANY_PASSES = 16
"""Passes from which features are copied into the convolution's own layout, however wide a row is."""

NARROW_ROW = 112
"""Elements of a row (width x channels at a time) up to which they are.

inferred with the passes: 212 of 221 convolutions in 16x8 that are not depthwise, up to 2.2, and three of 7x7 by 16 in a
mobilefacenet (2.2); against it seven 64->64 of 3x3 on 16x16 (2.0), rows of 128.
"""

FEW_PASSES = 2
"""Passes up to which a row of just so many elements is read as it lies: 512->40 of 1x1 on 7x7, by 16 (a TinyYOLOv2 of 2.1)."""

MANY_ROUNDS = 50
"""Passes times iterations from which a row that is not long is copied, too."""

LONG_ROW = 256
"""Elements of a row (width x channels at a time) from which those do not matter.

inferred: 672->192 and 1152->192 of 1x1 on 8x8, 56 and 128 times, are copied in an EfficientNetV2-B1 (2.0: vox-haolin/992_PlantDoctor),
seven more by its number of epochs; 672->112 on 15x15, 49 times, is not, nor is any of 12 seen up to 36 times (2.0 to 2.2).
"""


def wants_copy(lowering: Lowering, source: str, shape: Convolution, tiling: Tiling) -> bool:
    """The features are copied into batches of the convolution's depth first (-O3 builds up to 2.2).

    1. Never where they are written in such batches already, nor for maps of one position. What software writes lies as
       any other: behind 33 PRelu of a mobilefacenet built with -O3 (2.2, 183 epochs) all 19 copies are there that the
       rules below ask for, behind those of mobilefacenet_qdq (2.1) its three.
    2. In 16x8 where a batch is less than a bus transfer: the 16 channels of a row of 160, four at a time (2 of 2, 2.1, 2.2).
    3. Depthwise also where rows are short, and behind a hybrid routine.
    4. Others also where there are many passes, but for Deep1x1, and in 16x8 where rows are short. In 8x8: six of six in the graph of
       a YOLOX of 64 to 1,024 channels (rzetelnyStudent/stm32ai-modelzoo-services, 2.1), none of those with fewer passes. In 16x8 also where rows that are
       not long are read in many rounds.
    5. For a kernel of one row that takes more channels than a bus transfer at a time (2 of 2 that take 16, none of 5 that take
       8 or 12 of another batch or their own: FRIENDA256/stm32N6_AI, 2.2).
    """
    shape = along_rows(shape)
    if not lowering.target.copies_features or lowering.batches.get(source, 0) == tiling.batch_depth:
        return False
    if math.prod(shape.input_size) == 1 or shape.in_channels == 1 or source in lowering.laid_last:
        return False
    narrow = tiling.batch_depth < min(BUS_BYTES, shape.in_channels) and tiling.simd == "16x8"
    if shape.depthwise:
        return narrow or shape.input_size[1] * tiling.batch_depth < SHORT_ROW or source in lowering.rearranged
    if source in lowering.channels_last:
        return False  # an input of the network that lies channels last: any depth can be read (single layers, 2.2)
    if shape.kernel[0] == 1 < shape.kernel[1] and tiling.batch_depth > BUS_BYTES:
        return True
    row = shape.input_size[1] * tiling.batch_depth
    short = row < NARROW_ROW or (row == NARROW_ROW and tiling.passes > FEW_PASSES)
    many = tiling.passes >= MANY_PASSES and not tiling.deep1x1
    often = tiling.passes * tiling.iterations >= MANY_ROUNDS and row < LONG_ROW
    return narrow or many or (tiling.simd == "16x8" and (short or often))
