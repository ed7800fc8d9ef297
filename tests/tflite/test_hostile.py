"""Damaged and hostile files: one clear line, no crash, no hang, no blow-up."""

from __future__ import annotations

import random
import struct
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from builders.tflite.cases import CASES
from builders.tflite.operators import Case

from npuscope import tflite
from npuscope.model.errors import ModelError
from npuscope.model.layers import fold
from npuscope.model.load import load
from npuscope.tflite.flatbuffer import Bytes, DamagedError, Table

TELLING = [
    0,
    1,
    2,
    4,
    8,
    127,
    128,
    255,
    32768,
    65535,
    1 << 20,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 4,
    (1 << 32) - 1,
]


def files(count: int, random_: random.Random) -> list[bytes]:
    """Small files of different operators."""
    made = []
    for name in random_.sample(sorted(CASES), count):
        case = Case("int8", maps=random_.random() < 0.5)
        made.append(case.bytes(*CASES[name](case)))
    return made


def mutated(data: bytes, random_: random.Random) -> bytes:
    """A byte, a short or an offset replaced, or the end cut off, once to four times."""
    made = bytearray(data)
    for _ in range(random_.choice([1, 1, 1, 2, 4])):
        place = random_.randrange(8, len(made))
        kind = random_.randrange(4)
        if kind == 0:
            made[place] = random_.randrange(256)
        elif kind == 1:
            value = random_.choice(TELLING) if random_.random() < 0.6 else random_.randrange(len(made))
            place = place // 4 * 4
            made[place : place + 4] = struct.pack("<I", value)
        elif kind == 2:
            place = place // 2 * 2
            made[place : place + 2] = struct.pack("<H", random_.choice(TELLING) & 0xFFFF)
        elif random_.random() < 0.3:
            del made[max(place, 12) :]
    return bytes(made)


def test_mutations_open_or_are_refused_in_one_line() -> None:
    chance = random.Random(14)
    bases, refused = files(24, chance), 0
    for _ in range(1500):
        data = mutated(chance.choice(bases), chance)
        start = time.process_time()
        try:
            tflite.read(data)
        except ModelError as error:
            refused += 1
            assert "\n" not in str(error)
            assert str(error).startswith("model: is a")
        assert time.process_time() - start < 5
    assert 100 < refused < 1500


def test_mutations_that_open_can_be_looked_at(tmp_path: Path) -> None:
    chance = random.Random(41)
    bases, path, opened = files(12, chance), tmp_path / "x.tflite", 0
    for _ in range(250):
        path.write_bytes(mutated(chance.choice(bases), chance))
        try:
            fold(load(path).graph)
            opened += 1
        except ModelError:
            continue
    assert opened > 20


def test_every_truncation_is_refused() -> None:
    case = Case("int8")
    data = case.bytes(*CASES["conv 3x3"](case))
    for length in range(8, len(data) - 64, 7):
        with pytest.raises(ModelError):
            tflite.read(data[:length])


def test_parts_named_again_and_again_are_bounded() -> None:
    """20 000 operators in one vector, all the same table, whose operands are 20 000 numbers: 400 million of them."""
    count = 20000
    operands = struct.pack("<I", count) + bytes(4 * count)
    table = struct.pack("<HHHH", 8, 8, 0, 4) + struct.pack("<iI", 8, 4)  # vtable: slot 1 at byte 4
    entries = b"".join(struct.pack("<I", 4 * (count - i) + 8) for i in range(count))
    data = Bytes(struct.pack("<I", count) + entries + table + operands)
    with pytest.raises(DamagedError, match="the same parts so often"):
        for place in range(4, 4 + 4 * count, 4):
            Table.at(data, place + data.unpack(struct.Struct("<I"), place)).integers(1)


def test_one_buffer_under_many_names_does_not_multiply() -> None:
    case = Case("int8")
    kernel = case.constant("weights", np.ones((4, 64, 64, 64), np.int8), scale=0.1)
    shared = case.graph.tensors[kernel].buffer
    source = case.entry("in", (1, 64, 64, 64))
    results = []
    for i in range(40):
        again = case.tensor(f"weights{i}", (4, 64, 64, 64), "int8", 0.1)
        case.graph.tensors[again].buffer = shared
        results.append(case.act(f"out{i}", (1, 64, 64, 4)))
        fields = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
        case.operator("CONV_2D", [source, again], [results[-1]], "Conv2DOptions", **fields)
    data = case.bytes([source], results)
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match="the same constants so often"):
            tflite.read(data)
        assert tracemalloc.get_traced_memory()[1] < 8 * len(data) + (64 << 20)
    finally:
        tracemalloc.stop()


def test_names_of_any_bytes_stay_one_line() -> None:
    case = Case("int8")
    source, result = case.entry("in\x1b[31m\n[bold]", (1, 4)), case.act("out", (2, 2))
    case.operator("PAD", [source, case.integers("amounts", [[0, 0]])], [result])
    with pytest.raises(ModelError) as error:
        tflite.read(case.bytes([source], [result]))
    assert "\n" not in str(error.value)
    assert "\x1b" not in str(error.value)


@pytest.mark.parametrize(
    "data", [b"", b"TFL3", b"\0\0\0\0TFL3", b"\xff\xff\xff\xffTFL3" + bytes(64), b"\x08\0\0\0TFL3"]
)
def test_what_is_no_model_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError):
        tflite.read(data)
