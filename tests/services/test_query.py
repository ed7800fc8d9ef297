"""What a search finds: words of names, and comparisons of figures, texts and attributes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from builders.seen_figures import opened
from hypothesis import given
from hypothesis import strategies as st

from npuscope.services.query import FIGURES, PLACES, TEXTS, parsed
from npuscope.snapshot import LayerReport, Snapshot

Holds = Callable[[LayerReport, Snapshot], bool]

QUERIES: dict[str, Holds] = {
    "conv": lambda r, s: "conv" in f"{r.name} {r.layer.op} {r.layer.scope}".lower(),
    "CONV": lambda r, s: "conv" in f"{r.name} {r.layer.op} {r.layer.scope}".lower(),
    "!conv": lambda r, s: "conv" not in f"{r.name} {r.layer.op} {r.layer.scope}".lower(),
    "op=conv": lambda r, s: r.layer.op == "Conv",
    "op:o": lambda r, s: "o" in r.layer.op.lower(),
    "op!=Conv": lambda r, s: r.layer.op != "Conv",
    "N201": lambda r, s: any(f.code == "N201" for f in r.findings),
    "code:n9": lambda r, s: any(f.code.startswith("N9") for f in r.findings),
    "where:cpu": lambda r, s: r.placement.on_cpu,
    "where!=cpu": lambda r, s: not r.placement.on_cpu,
    "where:off": lambda r, s: r.off_npu,
    "where:npu": lambda r, s: r.placement.value == "hw",
    ">0.2ms": lambda r, s: r.line.milliseconds > 0.2,
    ">200us": lambda r, s: r.line.milliseconds > 0.2,
    "time>=0.2": lambda r, s: r.line.milliseconds >= 0.2,
    "ms<0.01": lambda r, s: r.line.milliseconds < 0.01,
    ">5%": lambda r, s: s.share(r) > 0.05,
    "cycles>100k": lambda r, s: (r.line.cycles or 0) > 100_000,
    "mac<4": lambda r, s: r.line.macs_per_cycle is not None and r.line.macs_per_cycle < 4,
    "in=257": lambda r, s: (r.layer.op in ("Conv", "Gemm") and (r.layer.input.dims or ())[1] == 257)
    or r.name in ("Flatten_26", "Unsqueeze_76", "Sigmoid_82"),
    "op=Gemm >0.2ms !257": lambda r, s: r.layer.op == "Gemm" and r.line.milliseconds > 0.2,
    "type:int": lambda r, s: True,
    "shape=1x257": lambda r, s: any(o.dims == (1, 257) for o in (*r.layer.inputs, *r.layer.outputs)),
    "tensor:gemm_28": lambda r, s: r.name in ("Gemm_28", "Add_31"),
    "axis=1": lambda r, s: r.layer.op in ("Split", "Flatten"),
    "transB=1": lambda r, s: r.layer.op == "Gemm",
    "kernel=1": lambda r, s: r.layer.op == "Conv",
    "kernel=3": lambda r, s: False,
    "dB<30": lambda r, s: False,
}  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_finds_what_it_says(query: str) -> None:
    _, snapshot = opened("denoiser_lstm_int8")
    found = {report.name for report in parsed(query).find(snapshot.layers, snapshot)}
    assert found == {report.name for report in snapshot.layers if QUERIES[query](report, snapshot)}


KERNELS: dict[str, Callable[[tuple[int, ...]], bool]] = {
    "kernel=3": lambda kernel: 3 in kernel,
    "kernel:3": lambda kernel: 3 in kernel,
    "kernel!=3": lambda kernel: 3 not in kernel,
    "kernel=3x3": lambda kernel: kernel == (3, 3),
    "kernel=3x1": lambda kernel: kernel == (3, 1),
    "kernel>3": lambda kernel: max(kernel) > 3,
    "kernel<=3": lambda kernel: max(kernel) <= 3,
}


@pytest.mark.parametrize("query", KERNELS)
def test_sizes_of_a_kernel(query: str) -> None:
    """Whether the model states them, or leaves them to the shape of its weights."""
    _, snapshot = opened("mobilenet_mini_int8")
    convs = tuple(report for report in snapshot.layers if report.layer.op == "Conv")
    kernels = [(r.layer.weight.type.dims or ())[2:] for r in convs if r.layer.weight is not None]
    assert {3, 1, 5} <= {size for kernel in kernels for size in kernel}
    found = [report.name for report in parsed(query).find(convs, snapshot)]
    assert found == [r.name for r, kernel in zip(convs, kernels, strict=True) if KERNELS[query](kernel)]


def test_measured_accuracy_is_compared_where_there_is_some() -> None:
    _, snapshot = opened("denoiser_lstm_int8")
    measured = replace(snapshot, own_decibels={"Gemm_28": 29.0, "Gemm_30": 31.0})
    for query in ("<30dB", "db<30"):
        assert [r.name for r in parsed(query).find(measured.layers, measured)] == ["Gemm_28"]


def test_signs_in_names_are_found_as_words() -> None:
    _, snapshot = opened("denoiser_lstm_int8")
    report = snapshot.layers[0]
    named = replace(report, layer=replace(report.layer, name="StatefulPartitionedCall:0/a=b>c"))
    for query in ("Call:0", "a=b", "b>c", "where:else", "!where:else", "ms>fast"):
        assert parsed(query).holds(named, snapshot) is (query in ("Call:0", "a=b", "b>c", "!where:else")), (
            query
        )


@given(
    st.text(max_size=40)
    | st.lists(
        st.sampled_from(
            [
                *FIGURES,
                *TEXTS,
                "where",
                *PLACES,
                "kernel",
                ">",
                "<",
                "=",
                ":",
                "!",
                "!=",
                "1",
                "1e9",
                "ms",
                "%",
                "x",
                " ",
            ]
        ),
        max_size=8,
    ).map("".join)
)
def test_whatever_is_typed_is_a_query(text: str) -> None:
    _, snapshot = opened("mobilenet_mini_int8")
    found = parsed(text).find(snapshot.layers, snapshot)
    assert (not found) >= (not text.split())
    words = [part for part in text.split() if part.startswith("!") and len(part) > 1]
    if not words and text.split():
        assert set(parsed(text + " op:conv").find(snapshot.layers, snapshot)) <= set(found)
