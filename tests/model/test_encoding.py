"""Names that are not UTF-8 are found wherever they stand in a model."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from onnx import ModelProto, NodeProto, helper

from npuscope.model.graph import nodes_of
from npuscope.model.validity.encoding import has_undecodable_names

ODD = "ODDNAME"


def model() -> ModelProto:
    made = ModelProto(ir_version=8, producer_name="p")
    made.opset_import.add(version=17)
    made.graph.name = "g"
    made.graph.node.append(relu())
    return made


def relu(**names: str) -> NodeProto:
    fields = {"op_type": "Relu", "name": "op", "input": ["x"], "output": ["y"]} | names
    return NodeProto(**fields)


def inside(node: NodeProto, name: str = "b") -> NodeProto:
    """An If with the node in its bodies."""
    body = helper.make_graph([node], name, [], [])
    return helper.make_node("If", ["c"], ["z"], then_branch=body, else_branch=body)


PLACES: dict[str, Callable[[ModelProto], object]] = {
    "producer": lambda m: setattr(m, "producer_name", ODD),
    "version of the producer": lambda m: setattr(m, "producer_version", ODD),
    "key of the metadata": lambda m: m.metadata_props.add(key=ODD, value="v"),
    "value of the metadata": lambda m: m.metadata_props.add(key="k", value=ODD),
    "imported domain": lambda m: m.opset_import.add(domain=ODD, version=1),
    "input": lambda m: m.graph.input.add(name=ODD),
    "output": lambda m: m.graph.output.add(name=ODD),
    "initializer": lambda m: m.graph.initializer.add(name=ODD),
    "operator": lambda m: m.graph.node.append(relu(op_type=ODD)),
    "domain": lambda m: m.graph.node.append(relu(domain=ODD)),
    "node": lambda m: m.graph.node.append(relu(name=ODD)),
    "tensor that is read": lambda m: m.graph.node[0].input.append(ODD),
    "tensor that is written": lambda m: m.graph.node[0].output.append(ODD),
    "metadata of a node": lambda m: m.graph.node[0].metadata_props.add(key="k", value=ODD),
    "attribute": lambda m: m.graph.node[0].attribute.add(name=ODD, i=1),
    "body": lambda m: m.graph.node.append(inside(relu(name=ODD))),
    "body of a body": lambda m: m.graph.node.append(inside(inside(relu(name=ODD)))),
    "name of a body": lambda m: m.graph.node.append(inside(relu(), ODD)),
    "name of a function": lambda m: m.functions.add(name=ODD),
    "domain of a function": lambda m: m.functions.add(name="f", domain=ODD),
    "parameter of a function": lambda m: m.functions.add(name="f").input.append(ODD),
    "node of a function": lambda m: m.functions.add(name="f").node.append(relu(name=ODD)),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_name_that_is_not_utf8_is_found(place: str) -> None:
    made = model()
    PLACES[place](made)
    data = made.SerializeToString()
    assert not undecodable(data)
    assert undecodable(data.replace(ODD.encode(), b"\xff" * len(ODD)))


def undecodable(data: bytes) -> bool:
    read = ModelProto.FromString(data)
    return has_undecodable_names(read, nodes_of(read.graph))
