"""What shells, loggers, mail, chats and forums do to a text, and pastes of several artefacts: the same values come out."""

from __future__ import annotations

import dataclasses
import html
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders.artefacts.as_json import Q_JSON, c_info
from builders.artefacts.texts import (
    DOT,
    EC_TRACE,
    LOWERING,
    MDESC,
    MPOOL,
    NETWORK_C,
    NETWORK_CSV,
    OPTIONS,
    PROFILES,
    REPORT_21,
    REPORT_40,
    TIMING,
)

from npuscope.model.errors import ModelError
from npuscope.neural_art.artefacts.artefact import read_all, read_text, read_texts
from npuscope.neural_art.artefacts.text import paste
from npuscope.neural_art.artefacts.text.figures import integer, scaled
from npuscope.neural_art.artefacts.text.lines import decode
from npuscope.neural_art.artefacts.text.paste import parts

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
    content, wanted = read_text(decode(LOG_WAYS[way](TEXTS[name])), name), read_text(TEXTS[name], name)
    assert (content.epochs, content.pools, content.lowerings) == (
        wanted.epochs,
        wanted.pools,
        wanted.lowerings,
    )


PARTS = ("graph", "csv", "options", "c_info", "c_info in lines", "mpool", "mdesc", "Q")


@pytest.mark.parametrize("first", [*PARTS, "report 2.1"])
@pytest.mark.parametrize("second", PARTS)
def test_two_artefacts_in_one_paste_are_two(first: str, second: str) -> None:
    pasted = f"Here is the one:\n\n{TEXTS[first]}\n\nand here the other:\n{TEXTS[second]}\nThanks!\n"
    wanted = [read_text(TEXTS[first], "a"), read_text(TEXTS[second], "b")]
    contents = list(read_texts(pasted, "paste"))
    for one in wanted:
        assert one in contents
    assert len(contents) == len({first.removesuffix(" in lines"), second.removesuffix(" in lines")})


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
    artefact = read_text(REPORT_21 + other.replace("447", "448").replace("1.004 kB", "9.004 kB"), "r")
    alone = read_text(REPORT_21, "r")
    assert (artefact.epochs, artefact.totals, artefact.pools) == (alone.epochs, alone.totals, alone.pools)
    assert artefact.not_understood == ("a second table of epochs; the first one counts",)


@pytest.mark.parametrize(
    ("text", "what"),
    [(TIMING, "times"), (DOT, "graph"), (NETWORK_CSV, "table"), (NETWORK_C, "epoch table")],
)
def test_a_second_one_of_its_kind_is_said(text: str, what: str) -> None:
    changed = (
        text.replace("EpochBlock_7", "EpochBlock_77").replace("Conv2D_4", "Conv2D_99").replace("64000", "9")
    )
    artefact = read_texts(text + changed, "x")[0]
    alone = read_text(text, "x")
    assert artefact.epochs == alone.epochs
    if artefact.kind != "dot":  # two graphs are two artefacts
        assert any(what in item for item in artefact.not_understood)


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
    artefact = read_text(table + "Total number of epochs 3\n", "r")
    assert artefact.rows == ()


HOSTILE: dict[str, Callable[[int], str]] = {
    "braces": lambda n: "{\n" * 40_000 * n,
    "objects": lambda n: '{"a": 1}\n' * 25_000 * n,
    "nested openings": lambda n: '{"a":\n' * 40 + "[" + "{}," * 50_000 * n + "x\n",
    "graphs": lambda n: "digraph G {\n}\n" * 15_000 * n,
    "open graphs": lambda n: "digraph G {\n" * 20_000 * n,
    "tables": lambda n: "epochs,a epoch OPS\n" * 15_000 * n,
    "options": lambda n: "# Tool: atonn\n" * 18_000 * n,
    "quotes": lambda n: ("> " * 200 + "epoch 1 HW\n") * 600 * n,
    "entities": lambda n: "&gt;" * 60_000 * n,
    "tags": lambda n: "</p " * 60_000 * n,
    "steps back": lambda n: ("a\b" * 2250 * n + "\n") * 50,
    "layer rows": lambda n: "m_id oshape macc\n" + ("1   a (" + "a" * 4500 * n + "\n") * 50,
    "structures": lambda n: '#include "ll_aton\n' + "  LL_Switch_InitTypeDef x = {\n" * 7_500 * n,
    "wires": lambda n: (
        '#include "ll_aton\n  LL_Switch_InitTypeDef x = {\n' + ("ATONN_DSTPORT(" * 250 * n + "\n") * 70
    ),
}
"""Texts of a length in proportion to a number."""


def read(text: str) -> float:
    """Read a text that holds nothing; the seconds of work it was."""
    start = time.process_time()
    try:
        read_texts(decode(text.encode()), "h")
    except ModelError as error:
        assert "\n" not in str(error)
    return time.process_time() - start


@pytest.mark.parametrize("name", HOSTILE)
def test_four_times_a_hostile_paste_is_four_times_the_work(name: str) -> None:
    """Sixteen times, where each place is looked at from each other. Whatever disturbs a reading, one of two is sound."""
    text = HOSTILE[name]
    short, long = text(1), text(4)
    most = 9 * max(min(read(short) for _ in range(2)), 0.02)
    assert any(read(long) < most for _ in range(2))


class Counting(json.JSONDecoder):
    """Counts the characters read where there is no document."""

    read = tries = 0

    def raw_decode(self, s: str, idx: int = 0) -> tuple[Any, int]:
        Counting.tries += 1
        try:
            return super().raw_decode(s, idx)
        except json.JSONDecodeError as error:
            Counting.read += error.pos - idx
            raise


def test_what_is_no_document_is_not_read_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "note\n" + HOSTILE["nested openings"](1)
    monkeypatch.setattr(Counting, "read", 0)
    monkeypatch.setattr(json, "JSONDecoder", Counting)
    assert [kind for kind, _ in parts(text)] == ["text"]
    assert 0 < Counting.read <= (paste.MOST_READ + 1) * len(text)


def test_more_values_than_a_document_may_hold_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counting, "tries", 0)
    monkeypatch.setattr(json, "JSONDecoder", Counting)
    monkeypatch.setattr(paste, "MAX_PARTS", 100)
    text = 'note\n{"a": [' + "1, " * 200 + '1]}\n{"b": 1}\n'
    assert [one for kind, one in parts(text) if kind == "document"] == ['{"b": 1}']
    assert Counting.tries == 1


def test_pastes_are_values() -> None:
    assert all(dataclasses.is_dataclass(one) for one in read_texts(REPORT_40 + DOT, "p"))
