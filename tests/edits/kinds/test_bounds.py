"""Layers that edits cannot change, or are not proposed for, where no other test asks; and what a bound makes of those they can."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.edit_checks import edited, opened, refused
from builders.models import from_text
from builders.weighted_layers import NAME, Spec, model, saved

from npuscope.edits.edit import Edit
from npuscope.edits.kinds.equalize import Equalize
from npuscope.edits.kinds.fold_batchnorm import FoldBatchNorm
from npuscope.edits.kinds.pad_stream import PadStream
from npuscope.edits.kinds.pool_to_conv import PoolToConv
from npuscope.edits.kinds.split_output import MOST_GROUPS, SplitOutput

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


@pytest.mark.parametrize(
    ("group", "sizes"),
    [("", None), ("<group = 1>", None), ("<group = 2>", (4, 4)), ("<group = 4>", (2, 2, 2, 2))],
)
def test_only_convs_of_groups_are_offered_one_conv_each(
    group: str, sizes: tuple[int, ...] | None, tmp_path: Path
) -> None:
    number = len(sizes or (1,))
    assert number <= MOST_GROUPS
    body = f"""g (float[1,8,3,3] x) => (float[1,8,3,3] y) <float[8,{8 // number},1,1] w = {{{",".join("1" * (64 // number))}}}>
    {{ [conv] y = Conv {group} (x, w) }}"""
    (layer,) = opened(from_text(f'<ir_version: 8, opset_import: ["" : 15]>\n{body}', tmp_path)).layers.layers
    assert list(SplitOutput.for_layer(layer)) == ([SplitOutput("conv", sizes)] if sizes else [])


@pytest.mark.parametrize(("columns", "kernel"), [(5, 5), (6, 6), (7, 8), (8, 8), (12, 12), (13, 14)])
def test_a_conv_of_an_average_leaves_no_tile_of_one_column(columns: int, kernel: int, tmp_path: Path) -> None:
    body = f"""g (float[1,2,4,{columns}] x) => (float[1,2,4,1] y) {{ [pool] y = AveragePool <kernel_shape = [1, {columns}]> (x) }}"""
    source = from_text(f'<ir_version: 8, opset_import: ["" : 15]>\n{body}', tmp_path)
    conv = edited(opened(source), PoolToConv("pool")).layers.by_name["pool_conv"]
    assert conv.core.integers("kernel_shape") == (1, kernel)
