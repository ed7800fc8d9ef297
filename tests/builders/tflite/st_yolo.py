"""ST's st_yoloxn as TFLite, int8: a CSP-Darknet of depthwise blocks, two steps up, two down, heads for three maps; drawn weights."""

from __future__ import annotations

from builders.tflite.examples import Example

ANCHORS, BOX = 3, 4


class StYolo(Example):
    """Every method takes and gives the number of a tensor; maps are [1, h, w, c]."""

    def pointwise_after(self, x: int, channels: int, stride: int = 1) -> int:
        """A depthwise 3x3 and a 1x1."""
        return self.plain(self.depthwise(x, stride=stride), channels)

    def stack(self, x: int, channels: int, depth: int, shortcut: bool = True) -> int:
        """Half of the channels past the blocks, half through them."""
        half = channels // 2
        past, made = self.plain(x, half), self.plain(x, half)
        for _ in range(depth):
            block = self.pointwise_after(self.plain(made, half), half)
            made = self.plus(made, block, relu=True) if shortcut else block
        return self.plain(self.joined([made, past], 3), channels)

    def pyramid(self, x: int) -> int:
        """The largest of three windows beside what they look at."""
        channels = self.dims(x)[3]
        half = self.plain(x, channels // 2)
        windows = [self.largest(half, window, 1) for window in (5, 9, 13)]
        return self.plain(self.joined([half, *windows], 3), channels)

    def head(self, x: int, channels: int, classes: int) -> int:
        """Boxes, whether there is one, and classes."""
        stem = self.plain(x, channels)
        kinds, boxes = (
            self.pointwise_after(self.pointwise_after(stem, channels), channels) for _ in range(2)
        )
        parts = [(kinds, ANCHORS * BOX), (boxes, ANCHORS), (kinds, ANCHORS * classes)]
        return self.joined([self.plain(source, count, activation=0) for source, count in parts], 3)


def st_yoloxn(side: int, depth: float, width: float, classes: int = 1) -> bytes:
    """By the names of ST's files: st_yoloxn_d033_w025_192 is of side 192, depth 0.33 and width 0.25."""
    net = StYolo((1, side, side, 3))
    base, blocks = int(64 * width), max(round(3 * depth), 1)
    image = net.one("QUANTIZE", [net.image], net.whole, (1 / 255, -128))
    x = net.plain(net.plain(image, 12, 3, 2), base, 3)
    maps = []
    for k, times in enumerate((1, 3, 3, 1)):
        channels = base << (k + 1)
        x = net.pointwise_after(x, channels, 2)
        if k == 3:
            x = net.pyramid(x)
        x = net.stack(x, channels, times * blocks, shortcut=k < 3)
        maps.append(x)
    _, small, middle, large = maps
    narrowed = []
    x = large
    for beside in (middle, small):
        channels = net.dims(beside)[3]
        narrowed.append(net.plain(x, channels))
        x = net.stack(net.joined([net.up(narrowed[-1]), beside], 3), channels, blocks, shortcut=False)
    found = [x]
    for beside in reversed(narrowed):
        x = net.joined([net.pointwise_after(x, net.dims(beside)[3], 2), beside], 3)
        x = net.stack(x, net.dims(x)[3], blocks, shortcut=False)
        found.append(x)
    heads = [net.head(x, int(256 * width), classes) for x in found]
    return net.bytes([net.image], [net.real(x) for x in heads])
