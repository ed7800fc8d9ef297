"""EfficientNetV2 as ST's model zoo quantizes it: Swish with calibrated scales, squeeze and excitation; values are drawn."""

from __future__ import annotations

from builders.networks.public_nets import ZERO, Rebuilt

Stages = tuple[tuple[int, int, int, int], ...]
STAGES: dict[str, Stages] = {
    "B0": ((1, 1, 16, 1), (4, 2, 32, 2), (4, 2, 48, 2), (4, 2, 96, 3), (6, 1, 112, 5), (6, 2, 192, 8)),
    "B1": ((1, 1, 16, 2), (4, 2, 32, 3), (4, 2, 48, 3), (4, 2, 96, 4), (6, 1, 112, 6), (6, 2, 192, 9)),
    "B2": ((1, 1, 16, 2), (4, 2, 32, 3), (4, 2, 56, 3), (4, 2, 104, 4), (6, 1, 120, 6), (6, 2, 208, 10)),
    "S": ((1, 1, 24, 2), (4, 2, 48, 4), (4, 2, 64, 4), (4, 2, 128, 6), (6, 1, 160, 9), (6, 2, 256, 15)),
}
"""Expansion, stride of the first block, channels, blocks; the first three stages are fused."""
FUSED = 3


class Efficient(Rebuilt):
    """Every method takes and gives the name of a dequantized tensor."""

    def conv(  # type: ignore[no-untyped-def]
        self, name: str, source: str, count: int, kernel: int = 1, stride: int = 1, **options
    ) -> str:
        """As `Rebuilt`, but a Swish multiplies the gate by what it is made of, in this order."""
        silu = options.pop("silu", False)
        made = super().conv(name, source, count, kernel, stride, **{"relu": False, **options})
        if silu:
            gate = self.of("Sigmoid", [made], f"{name}_gate", 1 / 255, ZERO)
            made = self.of("Mul", [gate, made], f"{name}_silu", 0.02, -120 + len(self.nodes) % 5)
            self.channels[made] = count
        return made

    def plus(self, x: str, made: str, name: str) -> str:
        added = self.of("Add", [x, made], f"{name}_add", 0.03, self.zero())
        self.channels[added] = self.channels[made]
        return added

    def mean(self, x: str, name: str) -> str:
        pooled = self.of("GlobalAveragePool", [x], name, 0.01, -100)
        self.channels[pooled] = self.channels[x]
        return pooled

    def fused(self, x: str, name: str, wide: int, stride: int, count: int) -> str:
        """A 3x3 that expands, and a 1x1 behind it unless nothing is expanded."""
        if wide == 1:
            made = self.conv(f"{name}_only", x, count, 3, stride, silu=True)
        else:
            made = self.conv(f"{name}_wide", x, wide * self.channels[x], 3, stride, silu=True)
            made = self.conv(f"{name}_narrow", made, count)
        return self.plus(x, made, name) if stride == 1 and self.channels[x] == count else made

    def inverted(self, x: str, name: str, wide: int, stride: int, count: int) -> str:
        """With a quarter of the block's own channels in its gate."""
        many = wide * self.channels[x]
        made = self.conv(f"{name}_wide", x, many, silu=True)
        made = self.conv(f"{name}_deep", made, many, 3, stride, each=True, silu=True)
        gate = self.conv(f"{name}_less", self.mean(made, f"{name}_mean"), self.channels[x] // 4, silu=True)
        gate = self.of("Sigmoid", [self.conv(f"{name}_more", gate, many)], f"{name}_open", 1 / 255, ZERO)
        scaled = self.of("Mul", [made, gate], f"{name}_scaled", 0.02, -118)
        self.channels[scaled] = many
        made = self.conv(f"{name}_narrow", scaled, count)
        return self.plus(x, made, name) if stride == 1 and self.channels[x] == count else made


def food(side: int = 240, classes: int = 101, size: str = "B1") -> bytes:
    """EfficientNetV2, B1 unless another is asked for."""
    net = Efficient((1, 3, side, side), -1)
    x = net.conv("stem", net.first, 32, 3, 2, silu=True)
    for stage, (wide, stride, count, blocks) in enumerate(STAGES[size]):
        block = net.fused if stage < FUSED else net.inverted
        for k in range(blocks):
            x = block(x, f"s{stage}_{k}", wide, stride if k == 0 else 1, count)
    x = net.mean(net.conv("head", x, 1280, silu=True), "mean")
    x = net.quantized(net.node("Flatten", [x], "flat"), 0.01, -100)
    x = net.weighted("Gemm", "fc", x, (classes, 1280), 7, relu=False, transB=1)
    return net.model(net.of("Softmax", [x], "soft", 1 / 255, ZERO), (1, classes)).SerializeToString()
