"""What onnx's own inference of one operator objects to, for operators that no check of ours knows.

It is given types and no values: what it computes of values has no bound. What it does with attributes has none either: it
counts to an axis of 2^31, and an index behind the end of a vector aborts the process. So it is asked in a process of its own,
of all such nodes of a model at once. Run as a module this is that process.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from time import monotonic

import onnx
from onnx import ModelProto, NodeProto

from npuscope.model.budget import limits
from npuscope.model.errors import one_line
from npuscope.model.graph import CONTROL_FLOW, Graph, Node
from npuscope.model.inference.child import limit_this_process, own_module
from npuscope.model.names import printable, shortened
from npuscope.model.tensors import dtype_number
from npuscope.model.validity.form import opset_of
from npuscope.model.validity.shapes import checked

_LONGEST = 120
MOST_ASKED = 1 << 12
"""Nodes that are asked about at once, and answers that are kept."""

MOST_ENDED = 8
"""Processes that may end before their last answer, until no more is asked."""

LARGEST = 1 << 20
"""Bytes of a node, its attributes with it, above which onnx is not asked."""

_ONE_NODE = 1.0
"""Seconds of the processor for one node."""

_ANSWERED: dict[bytes, str] = {}


def inference_fault(graph: Graph, node: Node) -> str:
    """Its objection, in a clause; '' where it has none, where a type is not known, or where it came to no end."""
    question = _question(graph, node)
    if question is None:
        return ""
    if question not in _ANSWERED:
        if len(_ANSWERED) >= MOST_ASKED:
            _ANSWERED.clear()
        questions = list(_with_others(graph, question))
        _ANSWERED.update(zip(questions, answers(questions), strict=True))
    objection = _ANSWERED[question]
    return f"{node.op}: {printable(shortened(objection, _LONGEST))} (onnx's own words)" if objection else ""


def _with_others(graph: Graph, first: bytes) -> Iterator[bytes]:
    """A question, and those of the model's other nodes that have no answer yet."""
    seen = {first}
    yield first
    for node in graph.nodes:
        if len(seen) >= MOST_ASKED:
            return
        if not node.standard or checked(node):
            continue
        question = _question(graph, node)
        if question is not None and question not in seen and question not in _ANSWERED:
            seen.add(question)
            yield question


def _question(graph: Graph, node: Node) -> bytes | None:
    """A model of nothing but the node, whose tensors have names of ours: nodes alike are one question."""
    if node.op in CONTROL_FLOW or node.subgraphs or node.proto.ByteSize() > LARGEST:
        return None
    model = ModelProto()
    model.opset_import.add(domain="", version=opset_of(graph, node))
    alone = model.graph.node.add(op_type=node.op)
    alone.attribute.extend(node.proto.attribute)
    for i, name in enumerate(node.inputs):
        alone.input.append(f"i{i}" if name else "")
        if not name:
            continue
        kind = graph.type(name)
        if kind.dtype == "unknown" or kind.shape is None:
            return None
        tensor = model.graph.input.add(name=f"i{i}").type.tensor_type
        tensor.elem_type = dtype_number(kind.dtype)
        tensor.shape.SetInParent()
        for size in kind.shape:
            dim = tensor.shape.dim.add()
            if isinstance(size, int):
                dim.dim_value = size
    alone.output.extend(f"o{i}" if name else "" for i, name in enumerate(node.outputs))
    return bytes(model.SerializeToString(deterministic=True))


def answers(questions: Sequence[bytes]) -> list[str]:
    """Objection to each; '' also for one that ended the process, and for those for which no time was left."""
    budget = limits()
    end = monotonic() + budget.seconds
    command = own_module(__name__, str(budget.memory), str(max(int(budget.seconds) + 1, 1)))
    known: list[str] = []
    for _ in range(MOST_ENDED):
        left = end - monotonic()
        if len(known) >= len(questions) or left <= 0:
            break
        asked = b"".join(len(q).to_bytes(4, "little") + q for q in questions[len(known) :])
        try:
            written = subprocess.run(  # noqa: S603 - our own module, by this very interpreter
                command, input=asked, capture_output=True, timeout=left, check=False
            ).stdout
        except subprocess.TimeoutExpired as error:
            written = error.stdout or b""
        except OSError:
            break
        known += [json.loads(line) for line in written.split(b"\n")[:-1]]
        known.append("")  # the one at which it ended, where it did
    return (known + [""] * len(questions))[: len(questions)]


def _objection(question: bytes) -> str:
    """In onnx's words, on one line."""
    model = ModelProto.FromString(question)
    node: NodeProto = model.graph.node[0]
    try:
        schema = onnx.defs.get_schema(node.op_type, model.opset_import[0].version, "")
        types = {value.name: value.type for value in model.graph.input}
        onnx.shape_inference.infer_node_outputs(schema, node, types, opset_imports=list(model.opset_import))
    except onnx.shape_inference.InferenceError as error:
        return re.sub(r"^.*?\[(Shape|Type)InferenceError\]\s*", "", one_line(str(error))).rstrip(". ")
    except Exception:  # noqa: BLE001 - a schema that is not there, attributes that it cannot read: said elsewhere
        return ""
    return ""


def _main(memory: int, seconds: int) -> int:
    asked = sys.stdin.buffer
    limit_this_process(memory, seconds)
    while head := asked.read(4):
        question = asked.read(int.from_bytes(head, "little"))
        if hasattr(signal, "setitimer"):  # not on Windows: the parent's clock alone
            signal.setitimer(signal.ITIMER_PROF, _ONE_NODE)  # ends the process, whatever runs
        sys.stdout.write(json.dumps(_objection(question)) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(_main(int(sys.argv[1]), int(sys.argv[2])))
