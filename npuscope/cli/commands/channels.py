"""Say which channel counts suit a convolution, before there is a model.

Each count is judged and priced as 'check' does it for a model of that one layer. Give one of --in and --out; --range
says which counts are tried on the other side. Cycles and milliseconds are those of the layer alone: copies at a network's
inputs and outputs and the set-up of epochs, which 'check' adds, are left out.

Examples:
  npuscope channels --kernel 3 --map 14 --out 64                 which input channels suit a 3x3 on 14x14
  npuscope channels --kernel 1 --map 28 --in 96 --range 8:512:8  which output channels, in steps of 8
  npuscope channels --depthwise --kernel 3 --map 28 --stride 2
  npuscope channels --op gemm --out 1024 --range 250:270 --zero-point 5 --all
"""

from __future__ import annotations

import argparse

from npuscope.cli.common import DONE, MOST_DIGITS, build_of, integer, target_options
from npuscope.cli.console import print_json, print_text

MOST_SIZE = 65_536
MOST_CHANNELS = 65_536


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    group = parser.add_argument_group("layer")
    group.add_argument("--op", choices=("conv", "gemm"), default="conv", help="operator (default conv)")
    group.add_argument("--kernel", type=sizes, default=(3, 3), metavar="K", help="3 or 3x5 (default 3)")
    group.add_argument(
        "--map",
        type=sizes,
        default=None,
        metavar="N",
        help="size of the input map, 14 or 7x20; rows of a Gemm (default 14; 1)",
    )
    group.add_argument("--stride", type=sizes, default=(1, 1), metavar="S", help="1 or 2x1 (default 1)")
    group.add_argument("--dilation", type=sizes, default=(1, 1), metavar="D", help="(default 1)")
    group.add_argument(
        "--pad",
        type=padding,
        default=None,
        metavar="P",
        help="'same' or rows and columns on each side (default same)",
    )
    side = group.add_mutually_exclusive_group(required=True)
    side.add_argument(
        "--out", type=integer(1, MOST_CHANNELS), metavar="N", help="output channels; inputs are tried"
    )
    side.add_argument(
        "--in",
        dest="inputs",
        type=integer(1, MOST_CHANNELS),
        metavar="N",
        help="input channels; outputs are tried",
    )
    side.add_argument("--depthwise", action="store_true", help="depthwise: as many outputs as inputs")
    group.add_argument(
        "--zero-point",
        type=integer(-128, 127),
        default=-128,
        metavar="Z",
        help="of the input, in int8 (default -128, as behind a ReLU)",
    )
    group.add_argument(
        "--range",
        type=counts,
        default=range(1, 513),
        metavar="A:B[:STEP]",
        help="channel counts to try, both ends included (default 1:512)",
    )
    output = parser.add_argument_group("output")
    form = output.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="every row (schema npuscope.channels/1)")
    form.add_argument("--all", action="store_true", help="every row as a line")
    target_options(parser)


def sizes(text: str) -> tuple[int, int]:
    """An option's type: '3' or '3x5', (height, width)."""
    parse = integer(1, MOST_SIZE)
    parts = [parse(part) for part in text.lower().split("x", 2)]
    if len(parts) > 2:
        raise argparse.ArgumentTypeError(f"{text[:MOST_DIGITS]!r} is neither a size nor height x width")
    return parts[0], parts[-1]


def padding(text: str) -> tuple[int, int] | None:
    """An option's type: 'same' (None) or '1' or '1x0'."""
    if text.lower() == "same":
        return None
    parse = integer(0, MOST_SIZE)
    parts = [parse(part) for part in text.lower().split("x", 2)]
    if len(parts) > 2:
        raise argparse.ArgumentTypeError(
            f"{text[:MOST_DIGITS]!r} is neither 'same' nor a number of rows and columns"
        )
    return parts[0], parts[-1]


def counts(text: str) -> range:
    """An option's type: '8:512' or '8:512:8', both ends included."""
    parse = integer(1, MOST_CHANNELS)
    parts = [parse(part) for part in text.split(":", 3)]
    if len(parts) not in (2, 3) or parts[0] > parts[1]:
        raise argparse.ArgumentTypeError(f"{text[:MOST_DIGITS]!r} is not FIRST:LAST or FIRST:LAST:STEP")
    return range(parts[0], parts[1] + 1, *parts[2:])


def run(options: argparse.Namespace) -> int:
    """Judge and price each count, and print the table."""
    from npuscope.garbage import kept_for_good
    from npuscope.machine.machine import target_of
    from npuscope.planning.channels import channel_table, gemm_shape, padded_shape
    from npuscope.reports.several.channels_report import channels_json, channels_text

    target = target_of(build_of(options))
    if options.op == "gemm":
        shape = gemm_shape((options.map or (1, 1))[-1], options.inputs, options.out, options.zero_point)
    else:
        shape = padded_shape(
            options.kernel,
            options.map or (14, 14),
            options.inputs,
            options.out,
            options.stride,
            options.dilation,
            options.pad,
            options.depthwise,
            options.zero_point,
        )
    with kept_for_good():
        table = channel_table(shape, options.range, target)
        if options.json:
            print_json(channels_json(table))
        else:
            print_text(channels_text(table, options.all))
    return DONE
