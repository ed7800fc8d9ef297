"""Damaged artefacts: only ModelError is raised, and no value comes out that is not in the text."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from builders.artefacts.texts import DOT, LOGS, NETWORK_C, OTHERS
from builders.longer import suite_or_long
from hypothesis import example, given, settings
from hypothesis import strategies as st

from npuscope.model.errors import ModelError
from npuscope.neural_art.artefacts.artefact import Artefact, read_text
from npuscope.neural_art.artefacts.text.lines import lines
from npuscope.neural_art.artefacts.text.names import parse
from npuscope.neural_art.artefacts.text.paste import unwrapped
from npuscope.neural_art.artefacts.values import Content, Totals
from npuscope.neural_art.comparison.compare import compare
from npuscope.reports.compare_json import compare_json
from npuscope.reports.compare_markdown import compare_markdown
from npuscope.reports.compare_report import compare_text

GARBAGE = st.text(max_size=60) | st.sampled_from(
    [
        "epoch 9999 HW",
        "| epoch_7 | SW | Conv |",
        "\x1b[31m",
        "=" * 50,
        "tensor ch: 5",
        "}",
        "{",
        '"',
        "\\l",
        "kind=Conv",
    ]
)


@st.composite
def damaged(draw: st.DrawFn, texts: tuple[str, ...]) -> str:
    """A text cut short, with lines reordered, dropped, repeated, garbled or mixed with another text's."""
    parts = draw(st.lists(st.sampled_from(texts), min_size=1, max_size=3))
    text_lines = "\n".join(parts).split("\n")
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(text_lines) - 1))
        what = draw(st.integers(0, 5))
        if what == 0:
            text_lines[at : at + 1] = []
        elif what == 1:
            text_lines.insert(at, text_lines[draw(st.integers(0, len(text_lines) - 1))])
        elif what == 2:
            text_lines.insert(at, draw(GARBAGE))
        elif what == 3 and text_lines[at]:
            cut = draw(st.integers(0, len(text_lines[at])))
            text_lines[at] = text_lines[at][:cut] + draw(GARBAGE) + text_lines[at][cut:]
        elif what == 4 and text_lines[at]:
            text_lines[at] = text_lines[at][: draw(st.integers(0, len(text_lines[at])))]
        else:
            other = draw(st.integers(0, len(text_lines) - 1))
            text_lines[at], text_lines[other] = text_lines[other], text_lines[at]
        if not text_lines:
            return ""
    text = "\n".join(text_lines)
    return text[: draw(st.integers(0, len(text)))] if draw(st.booleans()) else text


UNITS = (1, 1e3, 1e6, 1e9, 1 << 10, 1 << 20, 1 << 30)
NUMBER = re.compile(r"-?0x[0-9a-fA-F]+|-?\d[\d,]*(?:\.\d*)?(?:e[-+]?\d+)?|-?\.\d+")


def numbers_in(text: str) -> set[float]:
    """Every number that digits of the text can mean, in every unit."""
    numbers: set[float] = set()
    for token in NUMBER.findall(text):
        tails = {token, token.lstrip("-"), token.split(",")[0], *token.split(","), token.replace(",", "")}
        for tail in tails - {""}:
            try:
                value = float(int(tail, 16)) if tail.lstrip("-").startswith("0x") else float(tail)
            except (ValueError, OverflowError):
                continue
            if not abs(value) < 1e200:
                continue
            numbers |= {round(value * unit, 9) for unit in UNITS}
            numbers |= {float(round(value * unit)) for unit in UNITS}
            numbers |= {float(digits) for digits in re.findall(r"\d+", tail) if len(digits) < 20}
    return numbers


DERIVED = {"kind", "placement", "printed", "simd", "not_understood", "totals", "section", "cpu_cycles"}
"""Words of our own, and sums."""
LABELLED = {"attributes", "fields", "said"}
"""Where names of our own stand between what is printed: only what has a digit in it is looked for."""


def leaves(value: Any, labelled: bool = False) -> Iterator[str | float]:
    if isinstance(value, bool) or value is None:
        return
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            if field.name not in DERIVED:
                yield from leaves(getattr(value, field.name), labelled or field.name in LABELLED)
    elif isinstance(value, tuple):
        for item in value:
            yield from leaves(item, labelled)
    elif isinstance(value, str) and labelled:
        yield from (word.strip("[]{}(),") for word in value.split() if any(c.isdigit() for c in word))
    elif value != "":
        yield value


def assert_nothing_invented(content: Content, text: str) -> None:
    known = "\n".join((*lines(text), unwrapped(text), *lines(unwrapped(text))))
    numbers: set[float] | None = None
    for leaf in leaves(dataclasses.replace(content, totals=Totals())):
        if isinstance(leaf, str):
            # Options of the C file and the ini file are written without their dashes there.
            assert all(_stands_in(part, known) for part in leaf.split()), leaf
        elif leaf:
            numbers = numbers_in(known) if numbers is None else numbers
            assert round(float(leaf), 9) in numbers, leaf


VERSION = re.compile(r"\d+(?:\.\d+)+-\d+")
"""A version that a C file holds as one macro for each of its numbers."""


def _stands_in(word: str, known: str) -> bool:
    if VERSION.fullmatch(word) and word not in known:
        return all(part in known for part in re.split(r"[.-]", word))
    return word in known or word.lstrip("-") in known


def check(text: str) -> Content | None:
    try:
        artefact = read_text(unwrapped(text), "f")
    except ModelError as error:
        assert "\n" not in str(error)
        return None
    return artefact


@settings(max_examples=suite_or_long(20, 1500), deadline=None)
@given(damaged(LOGS))
def test_damaged_logs(text: str) -> None:
    artefact = check(text)
    if artefact is not None:
        # The steps inside a hybrid epoch are added up.
        epochs = tuple(dataclasses.replace(epoch, milliseconds=None) for epoch in artefact.epochs)
        assert_nothing_invented(dataclasses.replace(artefact, epochs=epochs), text)


GUARD = NETWORK_C.index("#if LL_ATON_VERSION_MA")


@settings(max_examples=suite_or_long(20, 1500), deadline=None)
@example(NETWORK_C[: GUARD + len("#if LL_ATON_VERSION_MAJOR")])
@example(NETWORK_C[: GUARD + len("#if LL_ATON_VERSION_MAJOR != 1 || LL_ATON_VERSION_MINOR != 1")])
@given(damaged(OTHERS))
def test_damaged_files(text: str) -> None:
    artefact = check(text)
    if artefact is not None and artefact.kind != "mdesc":
        assert_nothing_invented(artefact, text)


@settings(max_examples=suite_or_long(30, 2500), deadline=None)
@given(st.text(max_size=300))
def test_any_text(text: str) -> None:
    check(text)
    parse(text)


@settings(max_examples=suite_or_long(20, 1500), deadline=None)
@given(st.lists(damaged(LOGS), min_size=1, max_size=3), damaged((DOT, NETWORK_C)))
def test_any_artefacts_can_be_compared_and_shown(logs: list[str], graph: str) -> None:
    artefacts = [
        Artefact(**{f.name: getattr(content, f.name) for f in dataclasses.fields(Content)}, path=f"a{i}")
        for i, text in enumerate((*logs, graph))
        if (content := check(text)) is not None
    ]
    comparison = compare(None, artefacts)
    json.dumps(compare_json(comparison), allow_nan=False)
    for shown in (compare_text(comparison), compare_markdown(comparison)):
        assert "\x1b" not in shown
    indices = [epoch.index for epoch in comparison.epochs]
    assert indices == sorted(set(indices))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = ("graphs", "nodes", "subgraph_nodes", "buffers", "tensors", "memory", "mempools", "machine", "accelerators",
        "Profiles", "environment", "tools", "power_estimates", "json_schema_version", "name", "shape", "intq")  # fmt: skip


@settings(max_examples=suite_or_long(30, 2500), deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(KEYS), JSON | st.lists(st.dictionaries(st.sampled_from(KEYS), JSON), max_size=3)
    )
)
def test_any_document(document: dict[str, Any]) -> None:
    check(json.dumps(document))
    check(json.dumps({"json_schema_version": "2.0", "graphs": [document], "buffers": [document]}))
    check(json.dumps({"tensors": document, "nodes": document}))
    check(json.dumps({"memory": document}))
    check(json.dumps({"machine": document, "Profiles": document}))


@pytest.mark.parametrize("text", (*LOGS, *OTHERS), ids=range(len(LOGS) + len(OTHERS)))
def test_the_undamaged_texts_invent_nothing(text: str) -> None:
    artefact = check(text)
    assert artefact is not None
    if artefact.kind not in ("mdesc", "timing"):
        assert_nothing_invented(artefact, text)
