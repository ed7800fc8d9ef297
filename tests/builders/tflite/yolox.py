"""ST's YOLOX of depthwise convolutions as its model zoo exports it to TFLite, int8; the weights are drawn."""

from __future__ import annotations

from builders.tflite.mobile import Mobile


class YoloX(Mobile):
    """Maps are [1, h, w, c]; every convolution but the last ones of a head has a Relu6."""

    def block(self, x: int, shortcut: bool) -> int:
        """1x1, 3x3 of each channel, 1x1, and what goes past them."""
        channels = self.dims(x)[3]
        made = self.plain(self.depthwise(self.plain(x, channels)), channels)
        return self.add(x, made, (12 / 255, -128)) if shortcut else made

    def csp(self, x: int, channels: int, blocks: int, shortcut: bool = False) -> int:
        """Two halves, blocks in one of them, joined."""
        made = self.plain(x, channels // 2)
        for _ in range(blocks):
            made = self.block(made, shortcut)
        return self.plain(self.joined([made, self.plain(x, channels // 2)], 3), channels)

    def halved_by(self, x: int, channels: int) -> int:
        """Half the map, other channels."""
        return self.plain(self.depthwise(x, stride=2), channels)

    def largest(self, x: int, window: int) -> int:
        """The largest of a window around each place."""
        return self.one(
            "MAX_POOL_2D", [x], self.dims(x), self.grid(x), "Pool2DOptions", filterHeight=window, filterWidth=window,
            strideH=1, strideW=1, padding=0,
        )  # fmt: skip

    def head(self, x: int, channels: int) -> int:
        """Scores of three anchors beside their boxes and what they hold."""
        x = self.plain(x, channels)
        rows = []
        for counts in ((3,), (3, 12)):
            made = x
            for _ in range(2):
                made = self.plain(self.depthwise(made), channels)
            rows += [self.conv(made, count, scale=0.17, zero=83) for count in counts]
        return self.real(self.joined(rows[::-1], 3))


def yolox(channels: int, side: int = 480) -> bytes:
    """st_yolo_x with that many channels behind its first 3x3: 16 is the width 0.25, 64 the width 1; one class."""
    net = YoloX(side)
    given = net.graph.tensors[net.image].quantization
    given.scale, given.zeroPoint = [1 / 255], [0]
    x = net.one("QUANTIZE", [net.image], net.dims(net.image), (1 / 255, -128))
    x = net.plain(net.plain(x, 12, 3, 2), channels, 3)
    maps = []
    for k, blocks in enumerate((3, 9, 9)):
        wide = channels << (k + 1)
        x = net.csp(net.halved_by(x, wide), wide, blocks, shortcut=True)
        maps.append(x)
    _, fine, middle = maps
    x = net.plain(net.halved_by(x, channels * 16), channels * 8)
    pools = [net.largest(x, window) for window in (5, 9, 13)]
    x = net.plain(net.joined([x, *pools], 3), channels * 16)
    top = net.plain(net.csp(x, channels * 16, 3), channels * 8)
    x = net.csp(net.joined([net.up(top), middle], 3), channels * 8, 3)
    narrow = net.plain(x, channels * 4)
    x = net.csp(net.joined([net.up(narrow), fine], 3), channels * 4, 3)
    heads = [net.head(x, channels * 4)]
    for beside, wide in ((narrow, 8), (top, 16)):
        x = net.joined([net.halved_by(x, channels * wide // 2), beside], 3)
        x = net.csp(x, channels * wide, 3)
        heads.append(net.head(x, channels * 4))
    return net.bytes([net.image], [heads[2], heads[0], heads[1]])
