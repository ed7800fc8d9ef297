"""Matches of lowered nodes with layers, way by way, on small models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from builders.models import DENOISER, SAMPLES

from npuscope.model.layers import WEIGHTED, Layer, fold
from npuscope.model.load import load
from npuscope.neural_art.artefacts.matching import match, operators, plain, same_kind
from npuscope.neural_art.artefacts.values import Node

MOBILENET = SAMPLES / "mobilenet_mini_int8.onnx"


def layers_of(path: Path) -> list[Layer]:
    return list(fold(load(path).graph).layers)


def lowered(layers: list[Layer], scales: bool = True, shapes: bool = True) -> list[Node]:
    """What the compiler would make of the layers with weights: numbered in order, named in its own way."""
    nodes = []
    for i, layer in enumerate(layers):
        if layer.kind not in WEIGHTED or layer.weight is None or layer.output is None or layer.input is None:
            continue
        name = f"Conv2D_{3 * i}" if layer.kind == "Conv" else f"Gemm_{3 * i}_conv_{i}"
        quant, out = layer.weight.quant, layer.output.quant
        assert quant is not None and out is not None
        node = Node(
            name,
            "Conv",
            epoch=len(nodes),
            input_shape=layer.input.dims if shapes else None,
            output_shape=layer.output.dims if shapes else None,
            weight_scale=float(quant.scale.flat[0]) * (1 + 1e-6) if scales else None,
        )
        nodes += [node, Node(f"{name}_off_bias_{i}", "Add", epoch=len(nodes))]
        nodes.append(Node(f"Identity_inserted_id{i}", "Identity"))
    return nodes


def pairs(
    path: Path, nodes: list[Node], originals: tuple[tuple[str, tuple[str, ...]], ...] = ()
) -> dict[str, str]:
    source = load(path)
    matches = match(list(fold(source.graph).layers), source.graph, nodes, originals)
    return {m.operator.name.base: m.layer for m in matches.matches}


def expected(path: Path) -> dict[str, str]:
    layers = layers_of(path)
    return {
        f"{'Conv2D' if layer.kind == 'Conv' else 'Gemm'}_{3 * i}": layer.name
        for i, layer in enumerate(layers)
        if layer.kind in WEIGHTED and layer.weight is not None
    }


def test_nodes_of_one_operator_belong_together() -> None:
    names = ["Conv2D_9", "Conv2D_9_off_bias_2", "Conv2D_4_subm_1", "Conv2D_4_subm_0", "Conv2D_4_suboff_3",
             "Identity_inserted_id3", "__NN__RETURN__"]  # fmt: skip
    kinds = {"Conv2D_9_off_bias_2": "Add", "Conv2D_4_suboff_3": "Sub"}
    listed = operators(Node(name, kinds.get(name, "Conv")) for name in names)
    assert [(o.name.base, [n.name for n in o.nodes], o.leads, o.undivided) for o in listed] == [
        ("Conv2D_4", ["Conv2D_4_subm_1", "Conv2D_4_subm_0", "Conv2D_4_suboff_3"], 2, False),
        ("Conv2D_9", ["Conv2D_9", "Conv2D_9_off_bias_2"], 1, True),
    ]


def test_by_scales_in_any_order() -> None:
    nodes = lowered(layers_of(MOBILENET))
    assert pairs(MOBILENET, nodes[::-1]) == expected(MOBILENET)


def test_by_order_and_shape_without_scales() -> None:
    assert pairs(MOBILENET, lowered(layers_of(MOBILENET), scales=False)) == expected(MOBILENET)
    assert pairs(MOBILENET, lowered(layers_of(MOBILENET), scales=False, shapes=False)) == expected(MOBILENET)


def test_a_missing_operator_shifts_nothing() -> None:
    nodes = lowered(layers_of(MOBILENET), scales=False)
    removed = "Conv2D_" + nodes[9].name.split("_")[1]
    left = [node for node in nodes if not node.name.startswith(removed)]
    right = {base: layer for base, layer in expected(MOBILENET).items() if base != removed}
    assert pairs(MOBILENET, left) == right


def test_by_the_compilers_own_map() -> None:
    layers = [layer for layer in layers_of(MOBILENET) if layer.kind == "Conv"]
    nodes = [Node(f"Conv2D_{i}", "Conv") for i in range(len(layers))]
    rng = np.random.default_rng(1)
    order = rng.permutation(len(layers))
    originals = tuple(
        (f"Conv2D_{i}", ("__FE_GENERATED__", layers[at].core.output(0).replace("/", "_").replace(".", "_")))
        for i, at in enumerate(order)
    )
    assert pairs(MOBILENET, nodes, originals) == {
        f"Conv2D_{i}": layers[at].name for i, at in enumerate(order)
    }


def test_a_map_to_another_kind_or_to_nothing_is_not_followed() -> None:
    nodes = [Node("Conv2D_1", "Conv", output_shape=(1, 7, 7, 7))]
    assert pairs(DENOISER, nodes, (("Conv2D_1", ("Gemm_28", "nothing")),)) == {}


def test_by_name() -> None:
    source = load(DENOISER)
    nodes = [Node("Conv2D_79", "Conv"), Node("Gemm_28_conv_16", "Conv"), Node("Softmax_3", "Softmax")]
    matches = match(list(fold(source.graph).layers), source.graph, nodes)
    assert [(m.layer, m.by) for m in matches.matches] == [("Gemm_28", "name"), ("Conv2D_79", "name")]
    assert [operator.name.base for operator in matches.unmatched] == ["Softmax_3"]


def test_channels_of_a_log_may_be_swapped() -> None:
    source = load(DENOISER)
    layers = [replace(layer, name=f"l{i}") for i, layer in enumerate(fold(source.graph).layers)]
    nodes = [
        Node("Gemm_5_conv_1", "Conv", channels=(257, 1024)),
        Node("Gemm_9_conv_3", "Conv", channels=(257, 256)),
    ]
    matches = match(layers, source.graph, nodes)
    channels = {
        m.operator.name.base: next(la for la in layers if la.name == m.layer).core.name
        for m in matches.matches
    }
    assert channels == {"Gemm_5": "Gemm_28", "Gemm_9": "Gemm_74"}


def test_words_for_one_operator() -> None:
    assert (
        same_kind("Gemm", "MatMul")
        and same_kind("AveragePool", "GlobalAveragePool")
        and same_kind("Eltwise", "Mul")
    )
    assert not same_kind("Sub", "Div") and not same_kind("Conv", "Gemm") and not same_kind("Eltwise", "Conv")
    assert plain("/conv1/Conv_output_0:0") == plain("_conv1_Conv_output_00")


def test_nothing_to_match() -> None:
    source = load(DENOISER)
    matches = match([], source.graph, [Node("Conv2D_1", "Conv")])
    assert matches.matches == () and len(matches.unmatched) == 1
    assert match(list(fold(source.graph).layers), source.graph, []).matches == ()
