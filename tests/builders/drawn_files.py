"""Files that options name, drawn at random: sound, or with a value or a few changed. All are written to the current folder."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import onnx

from builders.artefacts import as_json, texts
from npuscope.machine import boards

ODD = (
    *("", "-1", "0", "1", "nan", "inf", "1e400", "9" * 40, "٣", "a,b", ",", "\x1b[31m", "../x", "[red]x", "=", "*", "\udcff"),
    *("m.onnx", "b.onnx", ".", "nowhere/x.json", "{}", "NaN", "1,1", "1+1", "a b", "--", "layer=x", "int8,,int8", "%s", "0x10"),
)  # fmt: skip
"""What no option expects, and some take."""
VALUES = (
    *("-1", "0", "1", "2", "3", "0.0", "-0.5", "1e9", "1e308", "1e999", "4294967296", "9223372036854775808", "9" * 400),
    *('"x"', "null", "[]", "{}", "true", '""', "NaN", "[1, 2]", '"\\u001b[31m"', '"0x7fffffffffffffff"', '{"value": 3}'),
)  # fmt: skip
"""In place of one in JSON, TOML or a report."""


def changed_text(text: str, random: Random) -> str:
    """One value or a few become others; a line is doubled or moved."""
    for _ in range(random.choice((1, 1, 2, 3, 6))):
        spots = [
            match.span()
            for match in re.finditer(r"-?\d+(?:\.\d+)?|\"[^\"\n]*\"(?!\s*:)|\b\w+\b(?!\s*[=:])", text)
        ]
        what = random.randrange(6)
        if what < 4 and spots:
            start, end = random.choice(spots)
            text = text[:start] + random.choice(VALUES) + text[end:]
        else:
            lines = text.split("\n")
            at, to = random.randrange(len(lines)), random.randrange(len(lines))
            line = lines[at] if random.random() < 0.5 else lines.pop(at)
            lines.insert(to, line)
            text = "\n".join(lines)
    return text


def file(name: str, random: Random, texts_: Sequence[bytes]) -> str:
    """A file of one of these texts, changed in two of three cases."""
    text = random.choice(texts_).decode("utf-8", "replace")
    if random.random() < 0.65:
        text = changed_text(text, random)
    Path(name).write_text(text, "utf-8", "surrogateescape")
    return name


def artefact(random: Random) -> str:
    """A file of ST's tools."""
    c_info, q = json.dumps(as_json.c_info(), indent=1), as_json.Q_JSON
    listed = [
        *((f"log{at}.txt", text) for at, text in enumerate(texts.LOGS)),
        ("c_info.json", c_info),
        ("n_Q.json", q),
    ]
    names = (
        "n.dot",
        "n.csv",
        "network.c",
        "t.c",
        "atonn_options.ini",
        "n.mpool",
        "n.mdesc",
        "user_neuralart.json",
        "r.json",
    )
    listed += zip(names, texts.OTHERS, strict=True)
    name, text = random.choice(listed)
    return file(name, random, [text.encode()])


def as_built(random: Random) -> str:
    profile = random.choice(("", "", "default@", "x@", "@"))
    return profile + (
        file("user_neuralart.json", random, [texts.PROFILES.encode()]) if profile else artefact(random)
    )


def board(random: Random) -> str:
    folder = Path(boards.__file__).parent
    known = sorted(path for path in folder.glob("*.toml"))
    if random.random() < 0.2:
        return random.choice(("STM32N6570-DK", "NUCLEO-N657X0-Q", "stm32n6570-dk", "x"))
    return file("board.toml", random, [path.read_bytes() for path in known])


def samples(random: Random) -> str:
    """Arrays that fit an input, or not; the file whole, or a few of its bytes others."""
    graph = onnx.load("m.onnx", load_external_data=False).graph
    arrays = {}
    for value in graph.input:
        sizes = [max(dim.dim_value, 1) for dim in value.type.tensor_type.shape.dim]
        if np.prod(sizes, dtype=float) > 1e5:
            continue
        kind = random.choice(
            (
                *["float32"] * 5,
                "float64",
                "int8",
                "uint8",
                "int64",
                "complex64",
                "bool",
                "U3",
                "M8[s]",
                "V4",
                "f4,i2",
            )
        )
        if random.random() < 0.3 and sizes:
            sizes[random.randrange(len(sizes))] = random.choice((0, 1, 2, 3, 50))
        array = np.zeros(sizes, kind)
        if kind == "float32" and random.random() < 0.3:
            array = np.full(sizes, random.choice((np.nan, np.inf, 1e38, -0.0, 1e-45)), kind)
        arrays[value.name if random.random() < 0.9 else random.choice(ODD[5:])] = array
    stream, one = io.BytesIO(), random.random() < 0.4 and bool(arrays)
    if one:
        np.save(stream, next(iter(arrays.values())), allow_pickle=False)
    else:
        np.savez(stream, **{name.replace("\udcff", "x"): array for name, array in arrays.items()})
    data = bytearray(stream.getvalue())
    for _ in range(random.choice((0, 0, 0, 1, 2, 5))):
        at = random.randrange(len(data))
        data[at] = random.choice((0, 255, data[at] ^ 1, ord("9"), ord("(")))
    if random.random() < 0.05:
        del data[random.randrange(len(data)) :]
    name = "samples.npy" if one else "samples.npz"
    Path(name).write_bytes(data)
    return name


def labels(random: Random) -> str:
    np.save(
        "labels.npy",
        np.zeros(random.choice((0, 1, 2, (2, 2), (0, 3))), random.choice(("int64", "float32", "U2", "bool"))),
    )
    return "labels.npy"


def python(random: Random) -> str:
    bodies = (
        "def metric(outputs, labels):\n    return 0.5\n",
        "def metric(outputs, labels):\n    return float('nan')\n",
        "def metric(outputs, labels):\n    return outputs[0][0]\n",
        "def samples():\n    yield {}\n",
        "def samples():\n    yield 3\n",
        "def samples():\n    raise KeyError('\\x1b[31m')\n",
        "class R:\n    def get_next(self):\n        return None\n",
        "metric = 3\n",
        "1 / 0\n",
        "import nothing_at_all\n",
        "def metric(:\n",
        "\0",
    )  # fmt: skip
    Path("code.py").write_text(random.choice(bodies))
    return "code.py"


def baseline(random: Random) -> str:
    return file(
        "known.json",
        random,
        [
            b'{"schema": "npuscope.baseline/1", "findings": [{"rule": "N201", "layer": "Conv_1", "model": "m.onnx"}]}'
        ],
    )
