"""What edits say of layers that they cannot change, where no other test asks."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.edit_checks import opened, refused
from builders.models import from_text
from builders.weighted_layers import NAME, Spec, model, saved

from npuscope.edits.edit import Edit
from npuscope.edits.kinds.equalize import Equalize
from npuscope.edits.kinds.fold_batchnorm import FoldBatchNorm
from npuscope.edits.kinds.pad_stream import PadStream

ONES = ",".join("1" * 8)


@pytest.mark.parametrize(
    ("spec", "edit", "words"),
    [(Spec(kind="conv2", ich=12, och=12, group=6), PadStream(NAME, 16), f"{NAME} has 6 groups")],
)
def test_a_layer_that_does_not_fit(spec: Spec, edit: Edit, words: str, tmp_path: Path) -> None:
    assert words in refused(opened(saved(model(spec), tmp_path)), edit)


NETWORKS = {
    "two groups, then a Conv": (
        f"""g (float[1,4,3,3] x) => (float[1,2,3,3] y) <float[4,2,1,1] w = {{{ONES}}}, float[2,4,1,1] v = {{{ONES}}}>
        {{ [first] c = Conv <group = 2> (x, w) [second] y = Conv (c, v) }}""",
        Equalize("first"),
        "first has 2 groups",
    ),
    "a Conv, then two groups": (
        f"""g (float[1,2,3,3] x) => (float[1,4,3,3] y) <float[4,2,1,1] w = {{{ONES}}}, float[4,2,1,1] v = {{{ONES}}}>
        {{ [first] c = Conv (x, w) [second] y = Conv <group = 2> (c, v) }}""",
        Equalize("first"),
        "second has 2 groups",
    ),
    "weights on the left of a map": (
        f"""g (float[1,2,3] x) => (float[1,4,3] y)
        <float[4,2] w = {{{ONES}}}, float[4] k = {{1, 2, 3, 4}}, float[4] o = {{0, 0, 0, 0}}>
        {{ [mul] c = MatMul (w, x) [norm] y = BatchNormalization (c, k, o, o, k) }}""",
        FoldBatchNorm("norm"),
        "is a MatMul of rank 3 without a bias; only one of rank 2 becomes a Gemm",
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_does_not_fit(name: str, tmp_path: Path) -> None:
    body, edit, words = NETWORKS[name]
    source = from_text(f'<ir_version: 8, opset_import: ["" : 15]>\n{body}', tmp_path)
    assert words in refused(opened(source), edit)
