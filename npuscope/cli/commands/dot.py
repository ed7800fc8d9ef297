"""Draw the graph, or the surroundings of a layer, coloured by placement.

Examples:
  npuscope dot model.onnx -o model.svg         needs graphviz
  npuscope dot model.onnx -o ms.json --data ms  milliseconds for Google's Model Explorer
  npuscope dot model.onnx -o near.dot --layer Gemm_28 --radius 5
"""

from __future__ import annotations

import argparse

from npuscope.cli.common import (
    DONE,
    integer,
    layer_name,
    one_of_endings,
    open_session,
    output_options,
    target_options,
)
from npuscope.cli.console import print_text, written


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("model", metavar="MODEL", help="the .onnx or .tflite file")
    parser.add_argument("--layer", metavar="NAME", help="only this layer and those around it")
    parser.add_argument(
        "--radius",
        type=integer(0, 10_000),
        default=3,
        metavar="N",
        help="how many layers around it (default 3)",
    )
    parser.add_argument(
        "--data",
        choices=("placement", "cycles", "ms", "mac-per-cycle"),
        help="content of the node data in a .json file: where nodes run (default), or a figure as a number",
    )
    output_options(
        parser, True, "the file: .dot, .svg (needs graphviz), or .json (node data for Model Explorer)"
    )
    target_options(parser)


def run(options: argparse.Namespace) -> int:
    """Run `dot`."""
    import json
    from pathlib import Path

    from npuscope.files.atomic import write_beside
    from npuscope.model.errors import ModelError
    from npuscope.reports.dot import dot_text, svg_bytes
    from npuscope.reports.model_explorer import PLACEMENT, node_figures
    from npuscope.snapshot import analyse

    one_of_endings("-o", options.output, ".dot", ".svg", ".json")
    suffix = Path(options.output).suffix.lower()
    if options.data is not None and suffix != ".json":
        raise ModelError("--data: applies to node data; -o must end in .json")
    session = open_session(options)
    snapshot = analyse(session)
    layer = layer_name(session, options.layer) if options.layer else None
    if suffix == ".json":
        content = (
            json.dumps(node_figures(snapshot, options.data or PLACEMENT), indent=2, allow_nan=False).encode()
            + b"\n"
        )
    else:
        drawing = dot_text(session, snapshot, layer, options.radius)
        content = svg_bytes(drawing) if suffix == ".svg" else drawing.encode()
    write_beside(session.source, options.output, content, options.force)
    print_text(written(options.output))
    return DONE
