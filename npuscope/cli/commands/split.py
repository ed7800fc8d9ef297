"""Split a Conv, Gemm or MatMul along its channels.

Without -o it only says what would change. A split of output channels is bit-exact; a split of input channels gives
each partial sum a scale of its own, measured on samples. What the outputs keep is measured too: exit status 1 where that
is less than --least-db.

Examples:
  npuscope split model.onnx --layer Gemm_28 --axis in --parts 144,113 -o fixed.onnx
  npuscope split model.onnx --layer Conv_7 --axis out --parts 2
"""

from __future__ import annotations

import argparse

from npuscope.cli.common import (
    DONE,
    FOUND,
    applied,
    layer_name,
    open_session,
    output_options,
    sample_options,
    target_options,
    unwrap,
    write_model,
)
from npuscope.cli.console import print_text, written
from npuscope.cli.losses import least_option, loss_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("model", metavar="MODEL", help="the .onnx or .tflite file")
    parser.add_argument("--layer", required=True, metavar="NAME", help="the layer, by its name in check")
    parser.add_argument(
        "--axis", required=True, choices=("in", "out"), help="cut input channels or output channels"
    )
    parser.add_argument(
        "--parts", required=True, metavar="SIZES", help="sizes (144,113) or a number of parts (2)"
    )
    output_options(parser, False, "write the split model here; without it, only show what would change")
    sample_options(parser)
    least_option(parser, "exit status 1 where an output keeps a smaller ratio of signal to difference")
    target_options(parser)


def run(options: argparse.Namespace) -> int:
    """Split, say what changes, and write."""
    from npuscope.edits.kinds.split_input import SplitInput
    from npuscope.edits.kinds.split_output import SplitOutput
    from npuscope.edits.toolkit.sizes import parse_sizes
    from npuscope.edits.toolkit.weighted import weighted_layer
    from npuscope.reports.several.verify_report import loss_text
    from npuscope.reports.text_report import edit_text
    from npuscope.snapshot import analyse

    session = open_session(options)
    layer = layer_name(session, options.layer)
    operator = unwrap(weighted_layer(session.graph, session.layers, layer))
    inward = options.axis == "in"
    sizes = unwrap(parse_sizes(options.parts, operator.in_channels if inward else operator.out_channels))
    changed = applied(options, session, (SplitInput(layer, sizes) if inward else SplitOutput(layer, sizes),))
    before = analyse(session)
    print_text(edit_text(changed.done[-1], layer, before, analyse(changed, before)))
    loss = loss_of(options, changed)
    if loss is not None:
        print_text(loss_text(loss))
    status = DONE
    if options.output:
        status = write_model(options, changed)
        print_text(written(options.output))
    return FOUND if loss is not None and loss.not_enough else status
