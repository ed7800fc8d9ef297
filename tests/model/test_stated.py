"""What a file states of its tensors beside what its nodes make: a note, or a fault of the node."""

from pathlib import Path

import pytest
from builders.models import from_text

TEXT = """<ir_version: 8, opset_import: ["" : 13]>
g (float[1,4,8,8] x) => (float[{shape}] y) {{ y = Relu(x) }}"""


@pytest.mark.parametrize(
    ("shape", "noted"), [("1,4,8,8", False), ("N,4,8,8", False), ("1,5,8,8", True), ("1,4,64", True)]
)
def test_a_shape_that_no_node_makes_is_a_note(shape: str, noted: bool, tmp_path: Path) -> None:
    source = from_text(TEXT.format(shape=shape), tmp_path)
    assert any("shapes that differ from what its nodes compute" in note for note in source.notes) == noted
    assert source.graph.type("y").shape == (1, 4, 8, 8)


def test_an_open_size_written_as_minus_one_is_none(tmp_path: Path) -> None:
    source = from_text(TEXT.format(shape="1,4,8,8").replace("8,8] y", "-1,8] y"), tmp_path)
    assert not source.notes
