"""SSD on a MobileNetV2 of 0.35 with a light feature pyramid as ST's model zoo has it in TFLite; the weights are drawn."""

from __future__ import annotations

from builders.networks.mobilenets import V2, eights
from builders.tflite.mobile import RELU6, Mobile

ANCHORS, DEPTH = 4, 128


def fpnlite(side: int = 256, classes: int = 2) -> bytes:
    """Five maps of 128 channels, each behind four pairs of convolutions, uint8 in; `classes` counts the background."""
    net = Mobile(side)
    x, kept = net.plain(net.start(), eights(32 * 0.35), 3, 2), list[int]()
    for wide, count, times, stride in V2:
        channels = eights(count * 0.35)
        for at in range(times):
            depth, step = net.dims(x)[3], 1 if at else stride
            if wide > 1:
                x = net.inverted(x, channels, depth * wide, step)
            else:
                x = net.plain(net.depthwise(x), channels, activation=0)
        kept.append(x)
    fine, middle = kept[2], kept[4]
    x = net.plain(net.plain(x, 1280), DEPTH, activation=0)

    def pair(source: int, stride: int = 1) -> int:
        return net.plain(net.depthwise(source, 3, stride, 0), DEPTH, activation=RELU6)

    middle = pair(net.plus(net.plain(middle, DEPTH, activation=0), net.twice(x)))
    fine = pair(net.plus(net.plain(fine, DEPTH, activation=0), net.twice(middle)))
    coarse = pair(x, 2)
    found: dict[int, list[int]] = {classes: [], 4: []}
    for source in (fine, middle, x, coarse, pair(coarse, 2)):
        for _ in range(4):
            source = pair(source)
        for values, rows in found.items():
            made = net.plain(net.depthwise(source, activation=0), ANCHORS * values, activation=0)
            places = ANCHORS * net.dims(made)[1] ** 2
            rows.append(net.reshaped(made, (1, places, values)))
    scores = net.joined(found[classes], 1)
    scores = net.one("SOFTMAX", [scores], net.dims(scores), (1 / 256, -128), "SoftmaxOptions", beta=1.0)
    return net.bytes([net.image], [net.real(scores), net.real(net.joined(found[4], 1))])
