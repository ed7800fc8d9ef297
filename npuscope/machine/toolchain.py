"""Toolchain: what one version of ST Edge AI Core does differently from others. toolchains.toml has the versions and the sources."""

from __future__ import annotations

from functools import cache
from typing import Any

from npuscope.machine.catalogue import TOOLCHAINS, VERSIONS, known_toolchain, ordinal
from npuscope.record import dataclass


@dataclass(frozen=True, slots=True)
class Toolchain:
    """What one version does; a version is asked for nothing but what is named here."""

    version: str

    deep1x1_only_if_faster: bool
    """Deep1x1 where it takes fewer cycles; without, wherever it is legal."""
    inflation_only_if_faster: bool
    """Depthwise weights are brought to groups where that takes fewer cycles; without, always."""
    dss2: bool
    """A depthwise 3x3 with stride 2 takes DSS2 where that is faster."""
    inflated_group_16x8: int
    """Channels of the groups that depthwise weights are brought to, where features have 16 bits."""
    fewest_accelerators: bool
    """Where no level of optimization is known: fewer CAs in series wherever that costs no cycles, as with -O3."""
    fits_poolings: bool
    """A convolution that a pooling alone reads writes as few channels at a time as that takes."""
    whole_sub_mask_sums: bool
    """Sub-masks take as many CAs in series as their sums need."""

    counts_short_accesses: bool
    """The compiler's estimate counts an access of fewer bytes than the pool is wide as a whole one."""
    fetches_scales_ahead: bool
    """The vector that scales a map of four dimensions is not waited for."""

    weights_4bit: bool
    """A Conv, Gemm or MatMul takes weights of 4 bits."""
    recognises_swish: bool
    """A Mul of x and Sigmoid(x) is one Swish on an ACTIV unit where the Sigmoid is stored with scale 1/256, as TFLite has it."""
    arith_functions: bool
    """Max and Min of two maps are the NPU's, and an Abs whatever its zero point."""
    elu_unit: bool
    """An ACTIV unit computes Elu."""
    gathers_in_integers: bool
    """ArgMax, ArgMin and Gather run in int8; a Gather of one constant index is a Slice."""
    grouped_kernels: bool
    """Groups of several channels with a kernel of two dimensions are on the accelerators."""
    narrow_sub_masks: bool
    """Sub-masks one column wide run on the NPU, and kernels of one row are cut in columns."""
    leaves_long_dilated: bool
    """A dilated kernel of several channels and more than three taps is the CPU's as a whole."""
    takes_shared_groups: bool
    """The accelerators take groups of several channels that share their weights."""
    leaves_uneven_strides: bool
    """Strides such as 1x3 are the CPU's."""
    averages_any_square: bool
    """A mean of a whole square map is the NPU's, whatever the factors of its sides."""
    joins_inputs: bool
    """Inputs of the network are joined in place, row by row."""
    joins_unequal_parts: bool
    """A Concat of unequal parts is a routine only where a part is shared."""
    copies_float_parts: bool
    """A Split of float rows is a copy where all parts end with a cache line."""
    layer_norm_apart: bool
    """A LayerNormalization is the operators it consists of."""
    sums_to_floats: bool
    """An ARITH unit writes the floats of a sum that a float layer reads."""
    lays_reshapes_anew: bool
    """The copy that a Reshape is writes the new channels innermost."""
    crashes_at_rank_5: bool
    """The compiler was said to crash over five dimensions (N108)."""

    separate_scale: bool
    """A convolution's requantization is a Mul before the Add of the bias, not one step with it."""
    copies_features: bool
    """With -O3, features are copied into the layout a convolution reads where this is faster."""
    copies_concat: bool
    """A Concat copies its inputs at once, although their producers could write them in place."""
    counts_views: bool
    """Epochs that move nothing are counted."""
    copies_splits: bool
    """The parts of a map's channels are copied to planes, not some of the batches it was written in."""
    joins_slices: bool
    """Slices of what no routine wrote are one Split."""
    divides_float_inputs: bool
    """A routine takes the parts of an input that stays float, one by one."""
    copies_at_borders: bool
    """Maps cross the border of the network by copies."""
    copies_softmax_rows: bool
    """Rows for a Softmax are copied whatever the options."""
    crops_by_routine: bool
    """What a dilated convolution's blocks have too much along one dimension is cropped by a routine."""
    leaves_single_values: bool
    """A row whose channels could only be taken one after another is left to a float kernel of the CPU."""
    casts_by_routine: bool
    """A routine makes sums of what the float kernel of a quantized convolution wrote."""
    fetches_coefficients: bool
    """Scales and biases of more channels than ARITH holds take a stream engine each."""
    averages_rescale: bool
    """An average brings its result to another scale itself."""
    batch_norm_apart: bool
    """A BatchNormalization in float is a Mul and an Add."""
    float_bias_apart: bool
    """A Gemm with a bias in float is a Conv and an Add."""
    wide_sums: bool
    """Sums of sub-masks of features of 16 bits take 24 bits."""
    second_correction_first: bool
    """Of a product's corrections that of the second operand comes first."""

    adds_row_sums_apart: bool
    """Sub-masks of a depthwise kernel of one row are added an epoch later."""
    pools_sums_apart: bool
    """A sum of sub-masks is pooled from memory."""
    adds_cut_apart: bool
    """An Add of two maps reads from memory what a convolution makes that its Relu cut at zero."""
    adds_rows_apart: bool
    """A sum of two maps of one row reads memory."""
    rejoins_chains: bool
    """Chains meet again in one epoch behind any convolution."""
    begins_behind_cpu: bool
    """A step of an ARITH unit that reads what the CPU wrote begins an epoch (`schedule.scheduler`)."""
    streams_all_channels: bool
    """What the CPU wrote goes on with all its channels at a time."""

    expand_softmax: bool
    """`--expand-softmax` is an option."""
    auto_is_alt: bool
    """`--Oauto-sched` settles on what `--Oalt-sched` does wherever the two differ."""
    several_schedulers: bool
    """`--Oalt-sched` and no option schedule otherwise than `--Oauto-sched`."""
    vectorizes: bool
    """Kernels on the CPU use its vector unit without being told to."""
    reports_hybrid: bool
    """Reports tell hybrid epochs from software."""
    one_node_a_blob: bool
    """c_info lists a whole blob of the epoch controller as one node."""


@cache
def toolchain(version: str) -> Toolchain:
    """What a version does. Raises ModelError where it is not known."""
    short = known_toolchain(version)
    return Toolchain(short, **{name: _held(values, short) for name, values in VERSIONS["changes"].items()})


def _held(values: dict[str, Any], version: str) -> Any:
    """What holds of a version: what the last one named up to it has."""
    named = [value for since, value in values.items() if ordinal(since) <= ordinal(version)]
    return named[-1] if named else False


def first_with(change: str) -> str:
    """The first version of which a flag holds."""
    return next(version for version in TOOLCHAINS if getattr(toolchain(version), change))


def last_with(change: str) -> str:
    """The last version of which a flag holds."""
    return next(version for version in reversed(TOOLCHAINS) if getattr(toolchain(version), change))
