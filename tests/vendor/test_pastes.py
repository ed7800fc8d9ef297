"""What shells, loggers, mail, chats and forums do to a text, and pastes of several artefacts: the same values come out."""

from __future__ import annotations

import dataclasses
import html
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from artefact_texts import (
    DOT,
    EC_TRACE,
    LOWERING,
    MDESC,
    MPOOL,
    NETWORK_C,
    NETWORK_CSV,
    OPTIONS,
    PROFILES,
    Q_JSON,
    REPORT_21,
    REPORT_40,
    TIMING,
    c_info,
)

from npuscope.model.errors import ModelError
from npuscope.vendor.artefact import read_all, read_text, read_texts
from npuscope.vendor.figures import integer, scaled
from npuscope.vendor.text import decode

TEXTS = {
    "report 2.1": REPORT_21, "report 4.0": REPORT_40, "lowering": LOWERING, "timing": TIMING, "graph": DOT,
    "csv": NETWORK_CSV, "network.c": NETWORK_C, "trace": EC_TRACE, "mpool": MPOOL, "mdesc": MDESC, "profiles": PROFILES,
    "options": OPTIONS, "c_info": json.dumps(c_info()), "c_info in lines": json.dumps(c_info(), indent=1), "Q": Q_JSON,
}  # fmt: skip


def each(change: Callable[[int, str], str]) -> Callable[[str], bytes]:
    return lambda text: "".join(change(i, line) + "\n" for i, line in enumerate(text.split("\n"))).encode()


WAYS: dict[str, Callable[[str], bytes]] = {
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "CR": lambda text: text.replace("\n", "\r").encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16 LE without a mark": lambda text: text.encode("utf-16-le"),
    "UTF-16 BE without a mark": lambda text: text.encode("utf-16-be"),
    "quoted": each(lambda _, line: f"> {line}"),
    "quoted twice": each(lambda _, line: f"> > {line}"),
    "entities": lambda text: html.escape(text).encode(),
    "a page": lambda text: f"<p>{html.escape(text)}</p>".replace("\n", "<br>\n").encode(),
    "fenced": lambda text: f"Hello, look:\n```text\n{text}\n```\nThanks\n".encode(),
    "indented": each(lambda _, line: f"    {line}"),
    "CubeMX": each(lambda i, line: f"2026-06-16 21:38:16,{i % 1000:03} [INFO] CmdLine:76 - {line}"),
    "a CI log": each(lambda i, line: f"2026-06-16T21:38:16.{i:07}Z {line}"),
    "times": each(lambda i, line: f"[21:38:{i % 60:02}] {line}"),
    "levels": each(lambda _, line: f"INFO: {line}"),
    "colours": each(lambda i, line: f"\x1b[3{i % 8}m{line}\x1b[0m\x1b[K"),
    "hard blanks": lambda text: text.replace("  ", " \xa0").encode(),
    "trailing blanks": each(lambda _, line: f"{line}   "),
    "typographic arrows": lambda text: text.replace("->", "→").encode(),
    "typographic dashes": lambda text: text.replace("-SW-", "–SW–").encode(),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", TEXTS)
def test_the_same_values_come_out(name: str, way: str) -> None:
    assert read_texts(decode(WAYS[way](TEXTS[name])), name) == read_texts(TEXTS[name], name)


LOG_WAYS: dict[str, Callable[[str], bytes]] = {
    "tabs": lambda text: text.replace("  ", "\t").encode(),
    "runs of blanks collapsed": each(lambda _, line: " ".join(line.split())),
    "progress bars": each(lambda i, line: f"\r[=>  ] {i}%\r{line}"),
    "bars that go back": each(lambda i, line: f"{i}%{chr(8) * len(f'{i}%')}{line}"),
}


@pytest.mark.parametrize("way", LOG_WAYS)
@pytest.mark.parametrize("name", ["report 2.1", "report 4.0", "lowering", "timing"])
def test_what_a_terminal_does_to_a_log_leaves_its_epochs(name: str, way: str) -> None:
    found, wanted = read_text(decode(LOG_WAYS[way](TEXTS[name])), name), read_text(TEXTS[name], name)
    assert (found.epochs, found.pools, found.lowerings) == (wanted.epochs, wanted.pools, wanted.lowerings)


PARTS = ("graph", "csv", "options", "c_info", "c_info in lines", "mpool", "mdesc", "Q")


@pytest.mark.parametrize("first", [*PARTS, "report 2.1"])
@pytest.mark.parametrize("second", PARTS)
def test_two_artefacts_in_one_paste_are_two(first: str, second: str) -> None:
    pasted = f"Here is the one:\n\n{TEXTS[first]}\n\nand here the other:\n{TEXTS[second]}\nThanks!\n"
    wanted = [read_text(TEXTS[first], "a"), read_text(TEXTS[second], "b")]
    found = list(read_texts(pasted, "paste"))
    for one in wanted:
        assert one in found
    assert len(found) == len({first.removesuffix(" in lines"), second.removesuffix(" in lines")})


def test_a_report_and_c_code_in_one_paste(tmp_path: Path) -> None:
    path = tmp_path / "paste.txt"
    path.write_text(REPORT_21 + NETWORK_C)
    code, report = read_all(path)
    assert (code.kind, report.kind) == ("network_c", "report")
    assert code.epochs == read_text(NETWORK_C, "c").epochs
    assert report.epochs == read_text(REPORT_21, "r").epochs


def test_two_reports_are_not_mixed() -> None:
    other = (
        REPORT_21.replace("of epochs: 5 of which 2", "of epochs: 9 of which 0") + "epoch 6 HW\nepoch 9 HW\n"
    )
    found = read_text(REPORT_21 + other.replace("447", "448").replace("1.004 kB", "9.004 kB"), "r")
    alone = read_text(REPORT_21, "r")
    assert (found.epochs, found.totals, found.pools) == (alone.epochs, alone.totals, alone.pools)
    assert found.not_understood == ("a second table of epochs; the first one counts",)


@pytest.mark.parametrize(
    ("text", "what"),
    [(TIMING, "times"), (DOT, "graph"), (NETWORK_CSV, "table"), (NETWORK_C, "epoch table")],
)
def test_a_second_one_of_its_kind_is_said(text: str, what: str) -> None:
    changed = (
        text.replace("EpochBlock_7", "EpochBlock_77").replace("Conv2D_4", "Conv2D_99").replace("64000", "9")
    )
    found = read_texts(text + changed, "x")[0]
    alone = read_text(text, "x")
    assert found.epochs == alone.epochs
    if found.kind != "dot":  # two graphs are two artefacts
        assert any(what in item for item in found.not_understood)


MAGIC = {
    "zip": (b"PK\x03\x04" + bytes(50), "ZIP archive"),
    "gzip": (b"\x1f\x8b" + bytes(50), "gzip"),
    "png": (b"\x89PNG\r\n" + bytes(50), "picture"),
    "pdf": (b"%PDF-1.7\n" + b"x" * 50, "PDF"),
}


@pytest.mark.parametrize("name", MAGIC)
def test_what_people_attach_instead_is_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(MAGIC[name][0])
    with pytest.raises(ModelError, match=MAGIC[name][1]):
        read_all(path)


def test_impossible_figures_are_not_taken() -> None:
    assert [integer("17,9680"), integer("1_000"), integer("١"), scaled("-3 Kcycles", "cycles")] == [None] * 4
    document = c_info()
    document["power_estimates"] = [
        {"node_id": 11, "compute_cycles": -5, "max_cycles": 1e400, "ops": float("nan")}
    ]
    document["buffers"][0]["shape"] = [1, -3, 8, 8]
    first = read_text(json.dumps(document), "c")
    assert (first.epochs[0].compute_cycles, first.epochs[0].cycles, first.epochs[0].ops) == (None, None, None)
    assert first.nodes[0].input_shape is None
    backwards = read_text(REPORT_40.replace("1 -> 4", "4 -> 1"), "r")
    assert backwards.epochs[0].last is None and "epochs 4 -> 1" in backwards.not_understood
    assert read_text(NETWORK_CSV.replace("80000", "-80000"), "n").epochs[1].cycles is None


def test_a_layer_table_that_lost_a_comma_is_no_layer_table() -> None:
    table = "m_id layer (original) oshape param/size macc connected to\n0      x (Conv)   [b:1,h:4c:512]   1/4   5   y\n"
    found = read_text(table + "Total number of epochs 3\n", "r")
    assert found.rows == ()


HOSTILE = {
    "braces": "{\n" * 300_000,
    "objects": '{"a": 1}\n' * 100_000,
    "graphs": "digraph G {\n}\n" * 60_000,
    "open graphs": "digraph G {\n" * 80_000,
    "tables": "epochs,a epoch OPS\n" * 60_000,
    "options": "# Tool: atonn\n" * 70_000,
    "quotes": ("> " * 200 + "epoch 1 HW\n") * 2_500,
    "entities": "&gt;" * 250_000,
    "tags": "</p " * 250_000,
    "steps back": ("a\b" * 9000 + "\n") * 50,
    "layer rows": ("m_id oshape macc\n" + "1   a (" + "a" * 18_000 + "\n") * 50,
    "structures": '#include "ll_aton\n' + "  LL_Switch_InitTypeDef x = {\n" * 30_000,
    "wires": '#include "ll_aton\n  LL_Switch_InitTypeDef x = {\n' + ("ATONN_DSTPORT(" * 1000 + "\n") * 70,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_paste_costs_no_time(name: str) -> None:
    start = time.perf_counter()
    try:
        read_texts(decode(HOSTILE[name].encode()), "h")
    except ModelError as error:
        assert "\n" not in str(error)
    assert time.perf_counter() - start < 3


def test_pastes_are_values() -> None:
    assert all(dataclasses.is_dataclass(one) for one in read_texts(REPORT_40 + DOT, "p"))
