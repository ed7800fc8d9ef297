"""Convolutions whose features a routine brings together first: what the accelerators are left to do."""

from __future__ import annotations

from dataclasses import replace

from npuscope.model.convolution import Convolution

OWN_STRIDES = frozenset({1, 2, 4})
"""Strides the accelerators have. inferred: of 3 a routine is seen (face_landmark_192), others were not seen."""


def dilated(conv: Convolution) -> int:
    """The largest dilation between taps, 1 where taps are neighbours."""
    if conv.dilation == (1, 1):
        return 1
    return max([d for d, k in zip(conv.dilation, conv.kernel, strict=True) if k > 1], default=1)


def blocks(conv: Convolution) -> tuple[int, int]:
    """Height and width of the blocks that bring dilated taps together: the dilation where there are several taps."""
    height, width = (d if k > 1 else 1 for d, k in zip(conv.dilation, conv.kernel, strict=True))
    return height, width


def fills_blocks(conv: Convolution) -> bool:
    """The map and its pads are whole blocks; else it is padded before SpaceToDepth and cropped behind DepthToSpace.

    Maps of 75x75 with dilations 2 and 4 in the graph of gg-cnn (TitoNicolaDrugman/Advanced-Computer-Architectures-Project,
    2.2); of 20x20 with 12 and 8 elsewhere.
    """
    height, width = blocks(conv)
    top, left, bottom, right = conv.pads
    rows, columns = conv.input_size
    return not (
        rows % height or columns % width or top % height or bottom % height or left % width or right % width
    )


def block(conv: Convolution) -> int:
    """Side of the blocks that SpaceToDepth turns into channels before a 1x1 convolution, 0 where it is not used.

    Kernel and stride are the block, so that each feature is read once (5 of 5 of stride 3; with stride 1 none).
    """
    side = conv.stride[0]
    if side in OWN_STRIDES or conv.stride != (side, side) or conv.kernel != (side, side):
        return 0
    if conv.group != 1 or any(conv.pads) or dilated(conv) > 1 or any(size % side for size in conv.input_size):
        return 0
    return side


def steps_unevenly(conv: Convolution) -> bool:
    """Strides that differ, one of them no stride of the accelerators' own: 2x5 with a stride of 1x3 (three of LiSenNet).

    A map of one row or column has one stride only, which cannot differ from another.
    """
    return (
        min(conv.input_size) > 1
        and conv.stride[0] != conv.stride[1]
        and not set(conv.stride) <= OWN_STRIDES
        and not block(conv)
    )


def gathered(conv: Convolution) -> Convolution:
    """The convolution behind the routine: of 1x1 on a channel for each tap, where blocks are turned into channels."""
    side = block(conv)
    if not side:
        return conv
    return replace(
        conv,
        in_channels=conv.in_channels * side * side,
        kernel=(1, 1),
        stride=(1, 1),
        input_size=conv.output_size,
    )
