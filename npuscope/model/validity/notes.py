"""What is said of a whole model beside its layers, one sentence each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

import onnx
from onnx import GraphProto, ModelProto

from npuscope.model import budget
from npuscope.model.errors import ModelError
from npuscope.model.graph import Graph
from npuscope.model.names import printable, shortened
from npuscope.model.tensors import Constant, ModelFile


def opset_notes(version: int | None) -> tuple[str, ...]:
    """An opset above those that the installed onnx knows."""
    known = onnx.defs.onnx_opset_version()
    if version is None or version <= known:
        return ()
    note = (
        f"The model uses opset {version}; the installed onnx knows opsets up to {known}, and newer operators are "
        "judged by what is known of the older ones."
    )
    return (note,)


def variable_notes(proto: ModelProto) -> tuple[str, ...]:
    """Variables that a TFLite file keeps between calls."""
    count = next((entry.value for entry in proto.metadata_props if entry.key == "tflite.variables"), "")
    if not re.fullmatch(r"[0-9]{1,6}", count):
        return ()
    note = (
        f"The TFLite file keeps {count} variables between calls, as streaming models do; they are inputs and outputs here, "
        "which the application hands from call to call. Whether ST's front end takes variables is not known; the exported "
        "ONNX has none."
    )
    return (note,)


def training_notes(graph: Graph) -> Iterator[str]:
    """Operators that do something else in training than in use."""
    for node in graph.nodes:
        if node.op == "BatchNormalization" and node.standard and node.integer("training_mode", 0):
            does = "takes mean and variance from the data of each run"
        elif node.op == "Dropout" and node.standard and _true(graph, node.input(2)):
            does = "drops values at random, so that no two runs agree"
        else:
            continue
        yield f"{printable(shortened(node.name, 40))!r} is in training mode: it {does}. Export the model for use (model.eval())."
        return


def _true(graph: Graph, name: str) -> bool:
    value = graph.value(name, 1) if name else None
    return value is not None and bool(value.any())


MOST_FILES = 3
"""Files of weights that are named."""


def unreadable_data(constants: Iterable[Constant], model: ModelFile | None) -> Iterator[str]:
    """Files of weights beside the model that are not there, or too short for what the model says of them."""
    needed: dict[ModelFile, list[Constant]] = {}
    files: dict[object, ModelFile] = {}
    for constant in constants:
        if constant.file is not None and constant.file is not model and constant.span is not None:
            needed.setdefault(files.setdefault(constant.file.path, constant.file), []).append(constant)
    unread = [(file, held) for file, held in needed.items() if _lacks(file, held)]
    for file, held in unread[:MOST_FILES]:
        ends = max(c.span.offset + c.span.length for c in held if c.span is not None)
        stamp = file.stamp
        what = "is not there" if stamp is None else f"has {stamp.size} of the {ends} bytes the model asks for"
        names = ", ".join(repr(printable(shortened(c.name, 40))) for c in held[:MOST_FILES])
        more = f" and {len(held) - MOST_FILES} more" if len(held) > MOST_FILES else ""
        yield (
            f"{printable(shortened(file.path.name, 80))!r}, which holds the values of {names}{more}, {what}. Layers and costs "
            "go by the sizes, which are known; zero points and ranges of these tensors are not, and what needs their values "
            "(edits, plans, verification) cannot be done before the file lies beside the model."
        )
    if len(unread) > MOST_FILES:
        yield f"So are {len(unread) - MOST_FILES} more files of weights."


def _lacks(file: ModelFile, held: Iterable[Constant]) -> bool:
    if file.stamp is None:
        return True
    return any(c.span is not None and c.span.offset + c.span.length > file.stamp.size for c in held)


MOST_KINDS = 5
"""Operators that are named of a model with more."""


def refuse_too_many(graph: GraphProto, path: object) -> None:
    """Raise ModelError for a graph of more nodes than are judged, with what it is made of."""
    nodes = graph.node
    if len(nodes) <= budget.JUDGED_NODES:
        return
    kinds = Counter(node.op_type for node in nodes)
    named = ", ".join(
        f"{count:,} {printable(shortened(kind, 40))}" for kind, count in kinds.most_common(MOST_KINDS)
    )
    more = f" and {len(kinds) - MOST_KINDS} other operators" if len(kinds) > MOST_KINDS else ""
    raise ModelError(
        f"{path}: has {len(nodes):,} nodes ({named}{more}); up to {budget.JUDGED_NODES:,} are judged. "
        "Take parts of it: onnx.utils.extract_model"
    )
