"""Convolutions for property tests."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from npuscope.model.convolution import Convolution

MODES = ("8x8", "16x8")
SIMD = st.sampled_from(MODES)
TOOLCHAIN = st.sampled_from(["2.0", "2.1", "2.2", "3.0", "4.0"])


def conv(
    in_channels: int,
    out_channels: int,
    size: tuple[int, int] = (1, 1),
    kernel: tuple[int, int] = (1, 1),
    stride: tuple[int, int] = (1, 1),
    group: int = 1,
    dilation: tuple[int, int] = (1, 1),
) -> Convolution:
    """A convolution with 'same' padding."""
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    pads = (reach[0] // 2, reach[1] // 2, reach[0] - reach[0] // 2, reach[1] - reach[1] // 2)
    out = (-(-size[0] // stride[0]), -(-size[1] // stride[1]))
    return Convolution(in_channels, out_channels, group, kernel, stride, dilation, pads, size, out)


@st.composite
def convolutions(draw: st.DrawFn) -> Convolution:
    """Pointwise, standard and depthwise ones of all sizes."""
    kernel = draw(st.sampled_from([(1, 1), (1, 1), (3, 3), (5, 5), (1, 3), (7, 7), (3, 1), (2, 2)]))
    size = (draw(st.integers(1, 160)), draw(st.integers(1, 3000)))
    stride = draw(st.sampled_from([(1, 1), (2, 2), (1, 2)]))
    channels = draw(st.integers(1, 1100))
    if draw(st.booleans()):
        return conv(channels, channels, size, kernel, stride, group=channels)
    return conv(channels, draw(st.integers(1, 1100)), size, kernel, stride)


def wider(geometry: Convolution, times: int) -> Convolution:
    """The same with so many times the input channels."""
    return replace(geometry, in_channels=geometry.in_channels * times)
