"""Kernels of one row: as an accelerator runs them, with the channels and kernels it takes at a time.

Source: FACTS 2.3, FACTS 2.4 and what public projects compiled, named below; inferred.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from npuscope.machine.machine import Target
from npuscope.model.convolution import Convolution


def along_rows(conv: Convolution) -> Convolution:
    """A convolution with a kernel of one column, turned: it then lies along a row, as an accelerator runs it.

    Three of one dimension in tcn_calculator (4.0, kernels of 1x3 on a map of 32x1), nine in a TC-ResNet8 (2.2), and 5x1 on
    128x1, whose width of 6 it fits (4.0.1: LarocheC/eco8-neaixt has 23 epochs where sub-masks of 3x1 and 2x1 would make 38). On a map of several columns as well:
    of FaceNet (muazzamaqeel/BA-EmbeddedAI, 2.2) the ten 7x1 of 128 channels on 8x8 are run tap by tap, as nine of TC-ResNet8, and
    the six 3x1 on 3x3 read 16 channels for twelve kernels at a time, as 1x3 do.
    """
    if conv.kernel[1] > 1 or conv.kernel[0] == 1:
        return conv
    return conv if conv.pads[1] or conv.pads[3] else _turned(conv)


@lru_cache(maxsize=1 << 10)
def _turned(conv: Convolution) -> Convolution:
    top, left, bottom, right = conv.pads
    return replace(
        conv,
        turned=True,
        kernel=conv.kernel[::-1],
        stride=conv.stride[::-1],
        dilation=conv.dilation[::-1],
        pads=(left, top, right, bottom),
        input_size=conv.input_size[::-1],
        output_size=conv.output_size[::-1],
    )


ROW_DEPTH_TAPS = 48
"""Channels and taps that a kernel of one row takes at a time.

inferred, nine convolutions: 16 channels of 1x3 (tcn_calculator, 4.0, three; three CAs for 96 channels of N6Net, 4.0.1), 8 of 1x6
(four CAs, 592,128 cycles as printed), 4 of 1x9 (three of TC-ResNet8, 2.2), 5 of 80 channels of 1x5 (40,960 cycles as printed).
"""

WIDE_ROWS = (3, 6, 12)
"""Columns a kernel of one row takes room for."""


def row_taps(columns: int) -> int:
    """The columns a kernel of one row takes room for: nine are twelve."""
    return next((wide for wide in WIDE_ROWS if columns <= wide), columns) if columns > 1 else 1


def macs_of_row(stride: int, columns: int, macs: int, target: Target) -> int:
    """Kernels of one row that the multipliers take at once: half of them, in 8x8 as well.

    Seven of seven (FRIENDA256/stm32N6_AI, 2.2): 4 of 32 and 6 of 48 with five columns, 8 of 64 with three, 12 of 48 with five and
    a stride of 2; four of 32 with nine and a stride of 2 (TC-ResNet8). With a stride a column falls in fewer windows, but three have
    room. So in 4.0.1: eight N6Nets (LarocheC/eco8-neaixt) write 6 of 96 beside a stem's 12, and a sum of both is an epoch of its own.
    """
    return target.tiling.macs_16x8 // max(WIDE_ROWS[0], -(-columns // stride)) if columns > 1 else macs
