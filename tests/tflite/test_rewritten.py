"""What is not converted operator by operator: variables, dilated convolutions in three parts, sparse constants."""

import numpy as np
import pytest
from builders.tflite.cases import CASES
from builders.tflite.files import File
from builders.tflite.operators import Case
from builders.tflite.reference import distances

from npuscope.model.errors import ModelError
from npuscope.model.load import load
from npuscope.tflite import read
from npuscope.tflite.sparse import Level, Sparsity, dense


def streaming(values: list[int] | None = None) -> bytes:
    """The last rows of the input are kept in a variable and stand before the next ones; `values`: what it holds at first."""
    file = File()
    grid = {"scale": 0.1, "zero": -3}
    if values is not None:
        file.operator("CALL_ONCE", [], [], "CallOnceOptions", initSubgraphIndex=1)
        main = file.graph
        file.graph = file.schema.SubGraphT()
        file.graph.tensors, file.graph.operators, file.graph.inputs, file.graph.outputs = [], [], [], []
        handle = file.tensor("handle", (), "resource")
        file.operator("VAR_HANDLE", [], [handle], "VarHandleOptions", sharedName="state")
        first = file.constant("first", np.array(values, np.int8).reshape(1, 2, 4), **grid)
        file.operator("ASSIGN_VARIABLE", [handle, first], [], "AssignVariableOptions")
        file.model.subgraphs.append(file.graph)
        file.graph = main
    source = file.tensor("in", (1, 1, 4), "int8", **grid)
    handle = file.tensor("handle", (), "resource")
    file.operator("VAR_HANDLE", [], [handle], "VarHandleOptions", sharedName="state")
    state = file.tensor("state", (1, 2, 4), "int8", **grid)
    file.operator("READ_VARIABLE", [handle], [state], "ReadVariableOptions")
    complete = file.tensor("whole", (1, 3, 4), "int8", **grid)
    file.operator("CONCATENATION", [state, source], [complete], "ConcatenationOptions", axis=1)
    parameters = [file.constant(n, np.array(v, np.int32)) for n, v in (("b", [0, 1, 0]), ("s", [1, 2, 4]))]
    kept = file.tensor("kept", (1, 2, 4), "int8", **grid)
    file.operator("SLICE", [complete, *parameters], [kept], "SliceOptions")
    file.operator("ASSIGN_VARIABLE", [handle, kept], [], "AssignVariableOptions")
    return file.bytes([source], [complete])


def test_variables_become_inputs_and_outputs(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "m.tflite").write_bytes(streaming())
    source = load(tmp_path / "m.tflite")
    assert source.graph.inputs == ("in", "state") and source.graph.outputs == ("whole", "kept")
    assert any("keeps 1 variable between calls" in note for note in source.notes)
    assert not any(node.domain for node in source.graph.nodes)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([-3] * 8, "from call to call, at first the number 0 (of integers their zero point)"),
        ([-3] * 7 + [0], "at first the constants that its CALL_ONCE assigns, which are not all 0"),
        (None, "from call to call. It is not known"),
    ],
)
def test_what_variables_hold_at_first_is_said(values: list[int] | None, said: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "m.tflite").write_bytes(streaming(values))
    assert any(said in note for note in load(tmp_path / "m.tflite").notes)


@pytest.mark.parametrize("name", ["dilated by batches", "depthwise dilated by batches"])
def test_three_operators_are_one_dilated_convolution(name: str) -> None:
    case = Case("int8")
    model = read(case.bytes(*CASES[name](case)))
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    attributes = {a.name: list(a.ints) for a in convolutions[0].attribute}
    assert len(convolutions) == 1 and attributes["dilations"] == [2, 2] and attributes["pads"] == [2, 2, 2, 2]
    assert not any(node.op_type == "Reshape" for node in model.graph.node)


def sparse_file(indices: list[int], segments: list[int]) -> bytes:
    """A dense layer whose weights store the rows of `segments` in compressed form."""
    case = Case("float32")
    file, schema = case, case.schema
    weights = file.tensor("w", (3, 12), "float32", data=np.arange(1, len(indices) + 1, dtype=np.float32))
    layout = schema.SparsityParametersT()
    layout.traversalOrder, layout.blockMap = [0, 1], []
    rows, columns = schema.DimensionMetadataT(), schema.DimensionMetadataT()
    rows.format, rows.denseSize = 0, 3
    columns.format, columns.denseSize = 1, 0
    for field, numbers in (("arraySegments", segments), ("arrayIndices", indices)):
        bytes_ = schema.Uint8VectorT()
        bytes_.values = numbers
        setattr(columns, field, bytes_)
        setattr(columns, f"{field}Type", schema.SparseIndexVector.Uint8Vector)
    layout.dimMetadata = [rows, columns]
    file.graph.tensors[weights].sparsity = layout
    complete = file.tensor("whole", (3, 12), "float32")
    file.operator("DENSIFY", [weights], [complete], "DensifyOptions")
    result = file.act("out", (1, 3))
    file.operator(
        "FULLY_CONNECTED", [case.entry("in", (1, 12)), complete, -1], [result], "FullyConnectedOptions"
    )
    return file.bytes(case.entries, [result])


def test_sparse_weights_equal_the_reference() -> None:
    for one in distances(sparse_file([0, 5, 11, 3, 4], [0, 3, 3, 5])):
        assert one.steps < 1e-6, one


@pytest.mark.parametrize(
    ("indices", "segments"),
    [([0, 5, 99, 3, 4], [0, 3, 3, 5]), ([0, 5], [0, 2, 1, 2]), ([0, 5], [0, 2]), ([0, 5], [0, 2, 200, 255])],
)
def test_a_sparse_layout_that_does_not_fit_is_refused(indices: list[int], segments: list[int]) -> None:
    with pytest.raises(ModelError):
        read(sparse_file(indices, segments))


ROWS, PAIRS = Level(2, None, None), Level(0, np.array([0, 1, 2]), np.array([1, 0]))


@pytest.mark.parametrize(
    ("layout", "values", "words"),
    [
        (Sparsity((0,), (), (ROWS,)), 2, "does not fit its 2 axes"),
        (Sparsity((0, 1), (), (ROWS, PAIRS)), 3, "holds 3 values for a sparse layout of 2"),
        (Sparsity((0, 1), (), (ROWS, Level(9, None, None))), 18, "with more values than it has"),
        (Sparsity((0, 1), (), (ROWS, Level(-1, None, None))), 2, "with more values than it has"),
        (Sparsity((0, 1, 2), (7,), (ROWS, PAIRS, ROWS)), 4, "states a block of axis 7"),
        (Sparsity((2, 0, 1), (1,), (ROWS, PAIRS, ROWS)), 4, "states a block of axis 1"),
        (
            Sparsity((0, 1), (), (ROWS, Level(0, np.array([0, 1, 2]), np.array([4, 0])))),
            2,
            "outside its sizes",
        ),
        (
            Sparsity((0, 1), (), (ROWS, Level(0, np.array([0, 1, 2]), np.array([-1, 0])))),
            2,
            "outside its sizes",
        ),
        (
            Sparsity((0, 1), (), (ROWS, Level(0, np.array([0, 2, 1]), np.array([1, 0])))),
            2,
            "that run backwards",
        ),
        (
            Sparsity((0, 1), (), (ROWS, Level(0, np.array([0, 1, 3]), np.array([1, 0])))),
            2,
            "beyond its 2 indices",
        ),
    ],
)
def test_a_layout_that_contradicts_itself_or_the_shape_is_refused(
    layout: Sparsity, values: int, words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        dense(np.arange(values), (2, 4), layout, "w")


def test_blocks() -> None:
    """Blocks of 1x4 along the second axis: rows dense, columns of blocks compressed, the block dense."""
    levels = (Level(2, None, None), Level(0, np.array([0, 1, 2]), np.array([1, 0])), Level(4, None, None))
    layout = Sparsity((0, 1, 2), (1,), levels)
    values = dense(np.arange(1, 9), (2, 8), layout, "w")
    assert values.tolist() == [[0, 0, 0, 0, 1, 2, 3, 4], [5, 6, 7, 8, 0, 0, 0, 0]]
