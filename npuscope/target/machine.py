"""Target: one NPU as one compiler version maps to it, at one set of clocks."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

from npuscope.model.errors import ModelError

TOOLCHAINS = ("2.0", "2.1", "2.2", "3.0", "4.0")
PROFILES = ("overdrive", "nominal")


@dataclass(frozen=True, slots=True)
class Units:
    """How many of each accelerator there are."""

    conv: int
    pool: int
    activation: int
    arithmetic: int
    stream: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of registers and buffers."""

    accumulation_iterations: int
    kernel_groups: int
    kernel_height: int
    kernel_width: int
    kernel_width_strided: int
    line_buffer: int
    stationary_bytes: int
    broadcast_elements: int
    pool_window: int
    pool_stride: int
    conv_stride: int
    conv_pad: int
    rank: int
    dimension: int


@dataclass(frozen=True, slots=True)
class TilingBounds:
    """Bounds of the compiler's tilings."""

    max_in_series: int
    kernels_pointwise: int
    kernels_8x8: int
    kernels_16x8: int
    depth_pointwise: int
    depth_kernel: int
    depth_deep1x1: int
    deep1x1_above_channels: int
    inflated_group: int


@dataclass(frozen=True, slots=True)
class Clocks:
    """Frequencies in Hz."""

    npu_hz: int
    npu_ram_hz: int
    cpu_hz: int
    noc_hz: int
    flash_hz: int


@dataclass(frozen=True, slots=True)
class Software:
    """Cortex-M55 cost figures, CPU cycles."""

    conv_macs_per_cycle: float
    conv_constant_cycles: int
    elements_per_cycle: float
    quantize_cycles_per_element: float
    float_cycles_per_element: float
    softmax_cycles_per_element: float
    hybrid_cycles_per_element: float


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """A memory pool: `freq_ratio` NPU cycles move `byte_width` bytes."""

    name: str
    size: int
    byte_width: int
    freq_ratio: float
    activations: bool
    weights: bool


@dataclass(frozen=True, slots=True)
class Toolchain:
    """What one version of ST Edge AI Core does differently."""

    version: str
    compiler: str
    deep1x1_only_if_faster: bool
    inflation_only_if_faster: bool
    fewest_accelerators: bool
    dss2: bool
    inflated_group_16x8: int
    expand_softmax: bool
    weights_4bit: bool

    def at_least(self, version: str) -> bool:
        """This version or a later one."""
        return _ordinal(self.version) >= _ordinal(version)


@dataclass(frozen=True, eq=False)
class Target:
    """What a model is judged for. Frozen; `target()` gives the same object for the same names."""

    name: str
    title: str
    profile: str
    units: Units
    limits: Limits
    tiling: TilingBounds
    clocks: Clocks
    software: Software
    pools: tuple[PoolSpec, ...]
    toolchain: Toolchain


@cache
def target(toolchain: str = TOOLCHAINS[-1], profile: str = PROFILES[0], name: str = "stm32n6") -> Target:
    """The named target. Raises ModelError for a version or profile that is not known."""
    data = _data(name)
    version = _known_version(toolchain, tuple(data["toolchains"]))
    if profile not in data["clocks"]:
        raise ModelError(f"--profile {profile}: is not known; take one of {', '.join(data['clocks'])}")
    return Target(
        name=data["name"],
        title=data["title"],
        profile=profile,
        units=_record(Units, data["units"]),
        limits=_record(Limits, data["limits"]),
        tiling=_record(TilingBounds, data["tiling"]),
        clocks=_record(Clocks, data["clocks"][profile]),
        software=_record(Software, data["software"]),
        pools=tuple(_record(PoolSpec, pool) for pool in data["pools"]),
        toolchain=_record(Toolchain, {"version": version, **data["toolchains"][version]}),
    )


def _known_version(asked: str, known: tuple[str, ...]) -> str:
    """'2.1', '2.1.0' and 'v2.1.0-20194' all mean 2.1."""
    short = ".".join(asked.strip().lstrip("vV").split("-")[0].split(".")[:2])
    if short not in known:
        raise ModelError(f"--toolchain {asked}: is not known; take one of {', '.join(known)}")
    return short


def _ordinal(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@cache
def _data(name: str) -> dict[str, Any]:
    return tomllib.loads(files("npuscope.target").joinpath(f"{name}.toml").read_text("utf-8"))


Record = TypeVar("Record")


def _record(kind: type[Record], values: dict[str, Any]) -> Record:
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in values.items() if name in names})
