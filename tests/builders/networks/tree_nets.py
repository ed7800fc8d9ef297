"""DLA as ST's model zoo has it from pytorchcv; weights and the zero points of sums are drawn."""

from __future__ import annotations

from builders.networks.mobilenets import RELU6
from builders.networks.stem_nets import State
from builders.networks.torch_cnns import Torch


class Tree(Torch):
    """Aggregates its blocks in trees."""

    def __init__(self, cardinality: int, width: int) -> None:
        super().__init__(224)
        self.cardinality, self.width = cardinality, width

    def block(self, count: int, stride: int) -> State:
        """A residual block; what its input is when it is as small as the result."""
        whole = self.state
        if stride > 1:
            self.largest(2, 0)
        down = self.state
        if whole[1] != count:
            self.conv(count, linear=True)
        kept = self.state
        self.back(whole)
        if self.cardinality:
            middle = self.cardinality * (count // 4 * self.width // 64)
            self.conv(middle)
            self.window(middle, (3, 3), (1, 1), stride, self.cardinality)
        else:
            self.conv(count // 2)
            self.conv(count // 2, 3, stride)
        self.conv(count, linear=True)
        self.summed(kept[0])
        return down

    def tree(self, levels: int, count: int, stride: int, extra: list[State], own: bool) -> State:
        """A tree of that many levels; `own`: the first of its stage, whose input goes into its root."""
        if levels == 1:
            down = self.block(count, stride)
            first = self.state
            self.block(count, 1)
            self.together([self.state, first, *([*extra, down] if own else extra)])
            self.conv(count)
            return down
        down = self.tree(levels - 1, count, stride, [], False)
        more = [*extra, *([down] if own else []), self.state]
        self.tree(levels - 1, count, 1, more, False)
        return down


def aggregated(levels: tuple[int, ...], grouped: bool) -> bytes:
    """DLA-46-C, DLA-X-46-C and DLA-X-60-C."""
    net = Tree(32 if grouped else 0, 8 if grouped else 0)
    net.window(16, (7, 7), (3, 3))
    net.conv(16, 3)
    net.conv(32, 3, 2)
    for stage, (deep, count) in enumerate(zip(levels, (64, 64, 128, 256), strict=True)):
        net.tree(deep, count, 2, [], stage > 0)
    mean = net.net.quantized(net.net.node("GlobalAveragePool", [net.last], "mean"), 0.02, RELU6)
    net.last, net.side = mean, 1
    net.conv(1000, linear=True)
    row = net.net.quantized(net.net.node("Flatten", [net.last], "row"), 0.01, 3)
    return net.net.model(row, (1, 1000)).SerializeToString()
