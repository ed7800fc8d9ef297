"""Target: one NPU as one compiler version maps to it, at one set of clocks."""

from __future__ import annotations

from dataclasses import fields
from functools import cache, cached_property
from typing import Any, TypeVar

from npuscope.machine.build import ALT, AUTO, COMPILERS_OWN, Build
from npuscope.machine.catalogue import (
    DEFAULT_PROFILE,
    DEFAULT_TOOLCHAIN,
    MACHINE,
    data,
    known_profile,
    known_toolchain,
)
from npuscope.machine.pools import PoolSpec, for_activations, for_weights
from npuscope.machine.toolchain import Toolchain
from npuscope.machine.toolchain import toolchain as toolchain_of
from npuscope.record import dataclass

NOC_RATIO = 2.0
"""ST's pools have a freq_ratio of 1.25 in the NPU's RAM and of 2.5 behind the interconnect."""


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
    kernel_register: int
    """Rows or columns that a kernel's register can hold."""
    kernel_height: int
    kernel_width: int
    kernel_width_strided: int
    line_buffer: int
    stationary_bytes: int
    broadcast_elements: int
    pool_window: int
    pool_window_register: int
    pool_stride: int
    pool_pad: int
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
    deep1x1_line_buffer: int
    """Columns x channels at a time beyond which Deep1x1 is not used."""
    inflated_group: int
    macs_8x8: int
    """MACs a CA does in a cycle, at most."""
    macs_16x8: int


@dataclass(frozen=True, slots=True)
class Clocks:
    """Frequencies in Hz."""

    npu_hz: int
    npu_ram_hz: int
    cpu_hz: int
    noc_hz: int
    flash_hz: int


@dataclass(frozen=True, slots=True)
class Compiler:
    """What the compiler estimates for the CPU, in NPU cycles."""

    conv_cycles_per_element: float
    copy_cycles_per_element: float
    function_cycles_per_element: float
    resize_cycles_per_element: float
    resize_constant_cycles: int
    softmax_constant_cycles: int


@dataclass(frozen=True, slots=True)
class SoftwareLatency:
    """What the Cortex-M55 takes, in CPU cycles."""

    conv_cycles_per_mac: float
    conv_cycles_per_output: float
    cached_cycles_per_mac: float
    cached_cycles_per_output: float
    cache_bytes: int
    float_cycles_per_mac: float
    float_cycles_per_tap: float
    """For each position of a window and output: 1 of a 1x1, 9 of a 3x3."""
    gather_cycles_per_output: float
    softmax_cycles_per_element: float
    quantize_cycles_per_element: float
    pool_cycles_per_element: float
    clip_cycles_per_element: float
    float_cycles_per_element: float
    resize_cycles_per_position: float
    other_cycles_per_element: float
    start_cycles: int


@dataclass(frozen=True, slots=True)
class Latency:
    """What the board takes beyond the accelerators' cycles; the data file says in which clock each counts."""

    external_transfers_per_clock: int
    external_ram_transfers_per_clock: float
    external_ram_read_clocks: int
    external_ram_write_clocks: int
    fill_cycles: int
    pass_cycles: int
    start_cycles: int
    unit_cycles: int
    coefficient_cycles: int
    lone_access_cycles: int
    controller_epoch_cycles: int
    controller_blob_cycles: int
    controller_cycles_per_byte: float
    hybrid_start_cycles: int
    hybrid_cycles_per_element: float
    concat_cycles_per_element: float
    transpose_cycles_per_element: float
    software: SoftwareLatency


@dataclass(frozen=True, slots=True)
class ErrorBand:
    """How far the milliseconds may be off, relative, by where an epoch runs."""

    hw: float
    nearly_full: float
    """Of the same where activations take more than `nearly_full_from` of the banks on the chip."""
    nearly_full_from: float
    external_ram: float
    """Of epochs of the accelerators that wait for a RAM off the chip."""
    hybrid: float
    software: float


@dataclass(frozen=True, slots=True)
class UnitPower:
    """Milliwatts of a unit at work, and how much of it the compiler counts on average."""

    conv: float
    pool: float
    activation: float
    arithmetic: float
    stream: float
    conv_use: float
    stream_unit_use: float
    streams_per_transfer: float
    external_share: float


@dataclass(frozen=True, eq=False)
class Target:
    """What a model is judged for: the machine as one build uses it. Frozen; equal builds give the same object.

    `npuscope.machine.variants` derives others: other pools, other clocks, with the epoch controller.
    """

    name: str
    title: str
    build: Build
    units: Units
    limits: Limits
    tiling: TilingBounds
    clocks: Clocks
    compiler: Compiler
    latency: Latency
    error_band: ErrorBand
    power: UnitPower
    pools: tuple[PoolSpec, ...]
    toolchain: Toolchain

    @property
    def profile(self) -> str:
        """The name of the clocks."""
        return self.build.profile

    @property
    def alt_scheduler(self) -> bool:
        """It schedules as with `--Oalt-sched`, by that option or of itself."""
        if self.build.scheduler == AUTO:
            return self.toolchain.auto_is_alt
        return self.build.scheduler == ALT and self.toolchain.several_schedulers

    @property
    def plain_scheduler(self) -> bool:
        """It schedules as with neither option."""
        return self.build.scheduler == COMPILERS_OWN and self.toolchain.several_schedulers

    @property
    def epoch_controller(self) -> bool:
        """Compiled with `--enable-epoch-controller`."""
        return self.build.epoch_controller

    @property
    def recognises_swish(self) -> bool:
        """x * Sigmoid(x) may be one Swish: of itself, or by `--SWISH-recognition`."""
        return self.toolchain.recognises_swish or self.build.swish

    @property
    def mpool(self) -> str:
        """Where the pools come from: the name of a built-in set or of a file."""
        return self.build.mpool or self.name

    @property
    def copies_features(self) -> bool:
        """Features are copied into the layout a convolution reads: a habit of some versions, with -O3 only.

        Where the level is not known it is taken to be 3, as in ST's own profiles.
        """
        return self.toolchain.copies_features and self.build.optimization in ("", "3")

    @property
    def groups_depthwise(self) -> bool:
        """Depthwise weights are brought to groups though that is no faster: from 3.0 on with -O3 only, before it always."""
        return self.toolchain.inflation_only_if_faster and self.build.optimization in ("", "3")

    @property
    def fewest_accelerators(self) -> bool:
        """Fewer accelerators in series wherever that costs no cycles: with -O3. Of builds whose level is not known: as most of a
        version that show it.
        """
        level = self.build.optimization
        return level == "3" or (not level and self.toolchain.fewest_accelerators)

    @cached_property
    def weight_pools(self) -> tuple[PoolSpec, ...]:
        """Pools for weights, best first."""
        return for_weights(self.pools)

    @cached_property
    def activation_pools(self) -> tuple[PoolSpec, ...]:
        """Pools for activations, best first."""
        return for_activations(self.pools)

    def bytes_per_second(self, pool: PoolSpec) -> float:
        """Peak rate of a pool on the board (documented clocks and widths)."""
        board = self.build.board
        if pool.external and not pool.writable and board is not None and board.flash_bytes_per_second:
            return board.flash_bytes_per_second
        if pool.external:
            return pool.byte_width * self._external_transfers_per_second(pool)
        return pool.byte_width * self.accesses_per_second(pool)

    def accesses_per_second(self, pool: PoolSpec) -> float:
        """Clock of a pool. On the chip: that of the NPU's RAM, or of the interconnect for all slower ones."""
        if pool.external:
            if not pool.writable and self.build.board is not None:
                return self.bytes_per_second(pool) / pool.byte_width
            return self._external_transfers_per_second(pool)
        return float(self.clocks.npu_ram_hz if pool.freq_ratio < NOC_RATIO else self.clocks.noc_hz)

    def _external_transfers_per_second(self, pool: PoolSpec) -> float:
        """Of a flash what is documented, of a RAM what a network was seen to get of it."""
        latency = self.latency
        per_clock = latency.external_transfers_per_clock
        return (
            float(latency.external_ram_transfers_per_clock if pool.writable else per_clock)
            * self.clocks.flash_hz
        )


@cache
def target(toolchain: str = DEFAULT_TOOLCHAIN, profile: str = DEFAULT_PROFILE) -> Target:
    """The target of a version and clocks, every other option as ST's tools have it by default.

    Raises ModelError for a version or profile that is not known.
    """
    return target_of(Build(known_toolchain(toolchain), known_profile(profile)))


@cache
def target_of(build: Build) -> Target:
    """The target of a build. Raises ModelError for a version or profile that is not known."""
    known, board = data(MACHINE), build.board
    standard = tuple(_record(PoolSpec, pool) for pool in known["pools"])
    setup = board.setup if board is not None else 1.0
    own = (
        {"hybrid_start_cycles": board.hybrid_start_cycles}
        if board is not None and board.hybrid_start_cycles
        else {}
    )
    return Target(
        name=known["name"],
        title=known["title"],
        build=build,
        units=_record(Units, known["units"]),
        limits=_record(Limits, known["limits"]),
        tiling=_record(TilingBounds, known["tiling"]),
        clocks=_record(Clocks, known["clocks"][known_profile(build.profile)]),
        compiler=_record(Compiler, known["compiler"]),
        latency=Latency(
            **{
                name: round(value * setup) if name in _SETUP else value
                for name, value in {**known["latency"], **own}.items()
                if name != "software"
            },
            software=_record(SoftwareLatency, known["latency"]["software"]),
        ),
        error_band=_record(ErrorBand, known["error_band"]),
        power=_record(UnitPower, known["power"]),
        pools=build.pools or (board.pools(standard) if board is not None else standard),
        toolchain=toolchain_of(build.toolchain),
    )


_SETUP = ("start_cycles", "unit_cycles", "coefficient_cycles")
"""Fields of `Latency` that the CPU spends on setting up an epoch and closing it."""

Record = TypeVar("Record")


def _record(kind: type[Record], values: dict[str, Any]) -> Record:
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in values.items() if name in names})
