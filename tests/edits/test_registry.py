"""Edits as plain data and back."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from typing import Any, get_type_hints

import pytest
from builders.longer import suite_or_long
from hypothesis import given, settings
from hypothesis import strategies as st

from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.edits.registry import KINDS, from_data, to_data
from npuscope.model.errors import ModelError

_SAMPLES = {str(str): "L", str(int): 3, str(float): 0.5, str(bool): True, "tuple[int, ...]": (1, 2)}
"""A value for a field of each type that has no default."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_what_its_edits_say(kind: str) -> None:
    cls = KINDS[kind]
    hints = get_type_hints(cls)
    wanted = [field.name for field in dataclasses.fields(cls) if field.default is dataclasses.MISSING]
    edit = cls(**{name: _SAMPLES[str(hints[name])] for name in wanted})
    assert edit.kind == kind
    assert from_data(to_data(edit)) == edit
    assert hash(edit) == hash(from_data(to_data(edit)))
    assert edit.describe() and "\n" not in edit.describe()


scales = st.tuples(st.floats(0.001953125, 1000), st.integers(-128, 127))
splits = st.builds(
    SplitInput,
    st.text(),
    st.lists(st.integers(1, 999), max_size=4).map(tuple),
    st.lists(scales, max_size=4).map(tuple),
) | st.builds(SplitOutput, st.text(), st.lists(st.integers(1, 999), max_size=4).map(tuple))


@settings(max_examples=suite_or_long(15, 1000), deadline=None)
@given(splits)
def test_splits_survive_being_stored(edit: SplitInput | SplitOutput) -> None:
    assert from_data(json.loads(json.dumps(to_data(edit)))) == edit


def test_a_table_of_toml_is_read() -> None:
    table = tomllib.loads('kind = "split-in"\nlayer = "a"\nsizes = [3, 4]\nscales = [[0.5, 1], [1, -2]]')
    assert from_data(table) == SplitInput("a", (3, 4), ((0.5, 1), (1.0, -2)))
    assert to_data(SplitInput("a", (3, 4))) == {"kind": "split-in", "layer": "a", "sizes": [3, 4]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "no edit of kind None; kinds are split-in"),
        ({"kind": "explode"}, "no edit of kind 'explode'"),
        ({"kind": ["split-in"]}, "no edit of kind ['split-in']"),
        ({"kind": "split-in", "layer": "a"}, "needs 'sizes'"),
        ({"kind": "split-in", "layer": "a", "sizes": [1], "size": 3}, "has no 'size'; it has layer, sizes"),
        ({"kind": "split-in", "layer": 3, "sizes": [1]}, "'layer' of edit 'split-in' is 3, not a text"),
        ({"kind": "split-in", "layer": "a", "sizes": 3}, "is 3, not a list"),
        ({"kind": "split-in", "layer": "a", "sizes": ["3"]}, "is '3', not a whole number"),
        ({"kind": "split-in", "layer": "a", "sizes": [True]}, "is True, not a whole number"),
        ({"kind": "split-in", "layer": "a", "sizes": [1.0]}, "is 1.0, not a whole number"),
        (
            {"kind": "split-in", "layer": "a", "sizes": [1], "scales": [[0.5]]},
            "a list of 1 where 2 values belong",
        ),
        ({"kind": "split-in", "layer": "a", "sizes": [1], "scales": [[float("inf"), 0]]}, "not a number"),
        ({"kind": "quantize", "layer": "L", "scales": [["x", 10**400, 0]]}, "more than 63 bits"),
        ({"kind": "pad-in", "layer": "L", "channels": 10**5000}, "more than 63 bits"),
        ({"kind": "pad-in", "layer": [10**5000], "channels": 3}, "a number too long to show"),
    ],
)
def test_what_is_no_edit_is_refused_in_one_line(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError) as raised:
        from_data(data)
    assert message in str(raised.value) and "\n" not in str(raised.value)
