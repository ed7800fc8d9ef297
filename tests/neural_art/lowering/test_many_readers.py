"""A tensor that very many layers read is looked at once, not again for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from builders.models import from_text

from npuscope.machine.machine import target
from npuscope.model.layer import Layer
from npuscope.session import Session
from npuscope.snapshot import analyse

READERS = 40


def test_an_input_that_many_float_layers_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = ", ".join(f"float[1,8] y{i}" for i in range(READERS))
    nodes = "\n".join(f"y{i} = Sqrt(x)" for i in range(READERS))
    text = f'<ir_version: 8, opset_import: ["" : 17]>\ng (float[1,8] x) => ({results}) {{ {nodes} }}'
    session = Session.open(from_text(text, tmp_path), target("4.0", "overdrive"))
    looked_at: list[str] = []

    class Readers(tuple[Layer, ...]):
        def __iter__(self) -> Iterator[Layer]:
            for layer in super().__iter__():
                looked_at.append(layer.name)
                yield layer

    readers = session.layers.readers
    assert len(readers["x"]) == READERS
    monkeypatch.setitem(readers, "x", Readers(readers["x"]))  # type: ignore[arg-type]
    analyse(session)
    assert len(set(looked_at)) == READERS
    assert len(looked_at) < 5 * READERS
