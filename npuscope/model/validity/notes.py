"""Notes on a whole model, one sentence each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import onnx
from onnx import GraphProto, ModelProto

from npuscope.model import budget
from npuscope.model.errors import ModelError
from npuscope.model.graph import Graph
from npuscope.model.names import quoted
from npuscope.model.tensors import Constant, ModelFile


def opset_notes(version: int | None, graph: Graph) -> tuple[str, ...]:
    """An opset above those that the installed onnx knows, or none."""
    known = onnx.defs.onnx_opset_version()
    if version is None and any(node.standard for node in graph.nodes):
        return (
            "The model states no opset of ONNX's own operators, so it is not valid; state the one it was exported in.",
        )
    if version is None or version <= known:
        return ()
    note = (
        f"The model uses opset {version}; the installed onnx knows opsets up to {known}, and newer operators are "
        "judged by their older versions."
    )
    return (note,)


def domain_notes(opsets: Mapping[str, int], graph: Graph) -> tuple[str, ...]:
    """Operators of a domain that the model does not import, which onnx's checker refuses."""
    if graph.imported or graph.tflite:
        return ()
    used = Counter(node.domain for node in graph.nodes if not node.standard)
    missing = [domain for domain in used if domain not in opsets]
    if not missing:
        return ()
    first = quoted(missing[0])
    more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
    note = (
        f"The model has operators of {first!r}{more} but does not import that domain, so onnx's checker refuses it (No opset "
        f"import for domain); add it with model.opset_import.append(onnx.helper.make_opsetid({first!r}, 1)), or export again."
    )
    return (note,)


def variable_notes(proto: ModelProto) -> tuple[str, ...]:
    """Variables that a TFLite file keeps between calls."""
    said = {
        entry.key: entry.value for entry in proto.metadata_props if entry.key.startswith("tflite.variables")
    }
    count = said.get("tflite.variables", "")
    if not re.fullmatch(r"[0-9]{1,6}", count):
        return ()
    many, them = (
        ("s", "they are inputs and outputs") if int(count) != 1 else ("", "it is an input and an output")
    )
    first = FIRST.get(said.get("tflite.variables.first", ""), "")
    note = (
        f"The TFLite file keeps {count} variable{many} between calls, as streaming models do; {them} here, which the application "
        f"must pass from call to call{first}. It is not known whether ST's front end takes variables; the exported ONNX has none."
    )
    return (note,)


FIRST = {
    "zero": ", at first the number 0 (of integers their zero point)",
    "other": ", at first the constants that its CALL_ONCE assigns, which are not all 0",
}


def branch_note(names: Sequence[str]) -> str:
    """Ifs in whose place the branch that they take is judged."""
    shown = ", ".join(repr(quoted(name)) for name in names[:MOST_NAMED])
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    what, place = ("The condition", "its") if len(names) == 1 else ("The conditions", "their")
    return (
        f"{what} of {shown}{more} follow{'s' if len(names) == 1 else ''} from constants and the sizes of the inputs: the "
        f"branch that is taken is judged and exported in {place} place, as onnxsim writes it. It is not known whether ST's front "
        "end does so; a user reports that it stops at an If."
    )


def training_notes(graph: Graph) -> Iterator[str]:
    """Operators that behave differently in training than in inference."""
    for node in graph.nodes:
        if node.op == "BatchNormalization" and node.standard and node.integer("training_mode", 0):
            does = "takes mean and variance from the data of each run"
        elif node.op == "Dropout" and node.standard and _true(graph, node.input(2)):
            does = "drops values at random, so results differ from run to run"
        else:
            continue
        yield f"{quoted(node.name)!r} is in training mode: it {does}. Export the model for inference (model.eval())."
        return


def _true(graph: Graph, name: str) -> bool:
    value = graph.value(name, 1) if name else None
    return value is not None and bool(value.any())


MOST_NAMED = 3
"""Nodes that are named."""

MOST_FILES = 3
"""Weight files that are named."""


def unreadable_data(constants: Iterable[Constant], model: ModelFile | None) -> Iterator[str]:
    """Weight files that are missing, or shorter than the model says."""
    needed: dict[ModelFile, list[Constant]] = {}
    files: dict[object, ModelFile] = {}
    for constant in constants:
        if constant.file is not None and constant.file is not model and constant.span is not None:
            needed.setdefault(files.setdefault(constant.file.path, constant.file), []).append(constant)
    unread = [(file, stored) for file, stored in needed.items() if _lacks(file, stored)]
    for file, stored in unread[:MOST_FILES]:
        ends = max(c.span.offset + c.span.length for c in stored if c.span is not None)
        stamp = file.stamp
        what = "is missing" if stamp is None else f"has {stamp.size} of the {ends} bytes the model needs"
        names = ", ".join(repr(quoted(c.name)) for c in stored[:MOST_FILES])
        more = f" and {len(stored) - MOST_FILES} more" if len(stored) > MOST_FILES else ""
        yield (
            f"{quoted(file.path.name)!r}, which holds the values of {names}{more}, {what}. Layers and costs "
            "follow from the sizes, which are known; zero points and ranges of these tensors are unknown, and edits, plans and "
            "verification that need them are not possible until the file is next to the model."
        )
    if len(unread) > MOST_FILES:
        yield f"The same holds for {len(unread) - MOST_FILES} more weight files."


def _lacks(file: ModelFile, stored: Iterable[Constant]) -> bool:
    if file.stamp is None:
        return True
    return any(c.span is not None and c.span.offset + c.span.length > file.stamp.size for c in stored)


MOST_KINDS = 5
"""Operators of a larger model that are named."""


def refuse_too_many(graph: GraphProto, path: object) -> None:
    """Raise ModelError for a graph of more nodes than are analysed, with its most frequent operators."""
    nodes = graph.node
    if len(nodes) <= budget.JUDGED_NODES:
        return
    kinds = Counter(node.op_type for node in nodes)
    named = ", ".join(f"{count:,} {quoted(kind)}" for kind, count in kinds.most_common(MOST_KINDS))
    more = f" and {len(kinds) - MOST_KINDS} other operators" if len(kinds) > MOST_KINDS else ""
    raise ModelError(
        f"{path}: has {len(nodes):,} nodes ({named}{more}); npuscope analyses up to {budget.JUDGED_NODES:,}. "
        "Extract parts of it with onnx.utils.extract_model"
    )
