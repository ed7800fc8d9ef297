"""Command lines drawn at random: options of a command in any company, and the files they name, sound or damaged."""

from __future__ import annotations

import argparse
import io
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import numpy as np
import onnx

from builders.artefacts import as_json, texts
from npuscope.cli.parser import COMMANDS, command_parser
from npuscope.machine import boards
from npuscope.neural_art.rules import RULES

ODD = (
    *(
        "",
        "-1",
        "0",
        "1",
        "nan",
        "inf",
        "1e400",
        "9" * 40,
        "٣",
        "a,b",
        ",",
        "\x1b[31m",
        "../x",
        "[red]x",
        "=",
        "*",
        "\udcff",
    ),
    *(
        "m.onnx",
        "b.onnx",
        ".",
        "nowhere/x.json",
        "{}",
        "NaN",
        "1,1",
        "1+1",
        "a b",
        "--",
        "layer=x",
        "int8,,int8",
        "%s",
        "0x10",
    ),
)
"""What no option expects, and some take."""
VALUES = (
    *(
        "-1",
        "0",
        "1",
        "2",
        "3",
        "0.0",
        "-0.5",
        "1e9",
        "1e308",
        "1e999",
        "4294967296",
        "9223372036854775808",
        "9" * 400,
    ),
    *(
        '"x"',
        "null",
        "[]",
        "{}",
        "true",
        '""',
        "NaN",
        "[1, 2]",
        '"\\u001b[31m"',
        '"0x7fffffffffffffff"',
        '{"value": 3}',
    ),
)
"""In place of one in JSON, TOML or a report."""
SIZED = ("cut", "plan", "quantize", "fix", "split", "verify", "apply", "compare")
"""Commands with most to go wrong, drawn twice as often."""
NOT_DRAWN = ("serve", "open", "completion", "schema", "help")
"""Commands that run without an end, or read nothing."""


def words_of(random: Random, models: Sequence[bytes], recipes: Sequence[tuple[bytes, bytes]]) -> list[str]:
    """A command line, its files written to the current folder. `recipes` are models, each with a recipe for it."""
    command = random.choice([*SIZED, *(name for name in COMMANDS if name not in NOT_DRAWN)])
    for name in ("m.onnx", "b.onnx"):
        Path(name).write_bytes(random.choice(models))
    if random.random() < 0.5:
        Path("b.onnx").write_bytes(Path("m.onnx").read_bytes())
    floats = [data for data in models if b"QuantizeLinear" not in data]
    model, recipe = random.choice(recipes)
    if command == "quantize" and floats and random.random() < 0.8:
        Path("m.onnx").write_bytes(random.choice(floats))
    elif command == "apply" and random.random() < 0.8:
        Path("m.onnx").write_bytes(model)
    words, others = [command], [recipe]
    actions = [action for action in command_parser(command)._actions if action.dest != "help"]
    for action in (action for action in actions if not action.option_strings):
        words += _positional(action, random, others)
    chosen = [action for action in actions if action.option_strings]
    few = random.sample(chosen, min(len(chosen), random.choice((0, 1, 2, 3, 4, 7))))
    for action in [*few, *(action for action in chosen if action.required and action not in few)]:
        words += _option(action, random)
    if command == "dot" and not words[-1].endswith((".dot", ".json")):
        words += ["-o", random.choice(("out.dot", "out.json"))]
    words += _companions(words, random)
    if "--time-limit" not in words and any("--time-limit" in action.option_strings for action in chosen):
        words += ["--time-limit", "5s"]
    return words


def _companions(words: Sequence[str], random: Random) -> list[str]:
    """What the options drawn go with, mostly: without it nothing more is looked at."""
    command, needed = words[0], []
    if random.random() < 0.1:
        return []
    if command == "quantize":
        needed = [["--random"], ["--samples", "1"]] if not {"--inputs", "--reader"} & {*words} else []
        needed += [] if "--try" in words else [["-o", "out.onnx"]]
    elif command == "plan":
        needed = [["--seconds", "1"], ["--samples", "1"]]
        needed += [["--apply"]] if {"-o", "--output"} & {*words} else []
        needed += [["-o", "out.onnx"]] if "--apply" in words else []
    elif command == "cut":
        needed = [["--at", _layer(random)]]
        needed += [["--tail", "out2.onnx"]] if {"-o", "--output"} & {*words} else []
        needed += [["-o", "out.onnx"]] if "--tail" in words else []
    elif command == "apply":
        needed = [["--other-model"]]
    elif command == "explain":
        needed = [[random.choice(RULES).code]] if len(words) == 1 else []
    elif command == "channels":
        needed = [["--out", "64"]] if not {"--in", "--depthwise", "--out"} & {*words} else []
    return [word for option in needed if option[0] not in words for word in option]


def changed_text(text: str, random: Random) -> str:
    """One value or a few become others; a line is doubled, dropped or moved; what stands in brackets is put into itself."""
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


def _positional(action: argparse.Action, random: Random, others: Sequence[bytes]) -> list[str]:
    if action.dest in ("model", "a"):
        return ["m.onnx"]
    if action.dest == "b":
        return ["b.onnx"]
    if action.dest == "recipe":
        return [_file("recipe.toml", random, others)]
    if action.dest == "models":
        return random.choice((["m.onnx"], ["m.onnx", "b.onnx"], ["."], ["m.onnx", "nothing.onnx"]))
    if action.dest == "files":
        names = [_artefact(random) for _ in range(random.choice((1, 1, 2)))]
        return random.choice((names, ["m.onnx", *names], [*names, "m.onnx"]))
    if action.dest == "edits":
        return _edits(random)
    return random.choice(([], [random.choice((*(rule.code for rule in RULES), *ODD))]))


def _edits(random: Random) -> list[str]:
    from npuscope.edits.registry import KINDS

    words: list[str] = []
    for _ in range(random.choice((0, 0, 1, 1, 2))):
        words.append(random.choice((*KINDS, *ODD)) if random.random() < 0.2 else random.choice(tuple(KINDS)))
        fields = ("sizes", "channels", "scales", "zero_point", "low", "high", "shifts", "borders", "ends")
        for field in ("layer", *random.sample(fields, random.choice((0, 1, 1, 2)))):
            value = (
                _layer(random)
                if field == "layer"
                else random.choice((*ODD, "2", "3+5", "8", "0.5", "[0.1, 0.2]", "true"))
            )
            words.append(f"{field}={value}")
    return words


def _option(action: argparse.Action, random: Random) -> list[str]:
    option = random.choice(action.option_strings)
    if action.nargs == 0:
        return [option]
    count = random.choice((1, 2)) if action.nargs == "+" else 1
    return [option, *(_value(action, option, random) for _ in range(count))]


def _value(action: argparse.Action, option: str, random: Random) -> str:
    if random.random() < 0.04 and option not in ("--seconds", "--time-limit", "--run-limit", "--samples"):
        return random.choice(ODD)
    if action.choices:
        return random.choice([str(choice) for choice in action.choices])
    drawn = _DRAWN.get(max(action.option_strings, key=len))
    if drawn is not None:
        return drawn(random)
    return random.choice(ODD)


def _layer(random: Random) -> str:
    graph = onnx.load("m.onnx", load_external_data=False).graph
    rest = [name for node in graph.node for name in (node.name, *node.output, *node.input) if name]
    named = [
        node.name or f"{node.op_type}_{at}"
        for at, node in enumerate(graph.node)
        if "Linear" not in node.op_type
    ]
    return random.choice(named if named and random.random() < 0.7 else [*rest, ""])


def _file(name: str, random: Random, texts_: Sequence[bytes]) -> str:
    """A file of one of these texts, changed in two of three cases."""
    text = random.choice(texts_).decode("utf-8", "replace")
    if random.random() < 0.65:
        text = changed_text(text, random)
    Path(name).write_text(text, "utf-8", "surrogateescape")
    return name


def _artefact(random: Random) -> str:
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
    return _file(name, random, [text.encode()])


def _as_built(random: Random) -> str:
    profile = random.choice(("", "", "default@", "x@", "@"))
    return profile + (
        _file("user_neuralart.json", random, [texts.PROFILES.encode()]) if profile else _artefact(random)
    )


def _board(random: Random) -> str:
    folder = Path(boards.__file__).parent
    known = sorted(path for path in folder.glob("*.toml"))
    if random.random() < 0.2:
        return random.choice(("STM32N6570-DK", "NUCLEO-N657X0-Q", "stm32n6570-dk", "x"))
    return _file("board.toml", random, [path.read_bytes() for path in known])


def _samples(random: Random) -> str:
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


def _labels(random: Random) -> str:
    np.save(
        "labels.npy",
        np.zeros(random.choice((0, 1, 2, (2, 2), (0, 3))), random.choice(("int64", "float32", "U2", "bool"))),
    )
    return "labels.npy"


def _python(random: Random) -> str:
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


def _baseline(random: Random) -> str:
    return _file(
        "known.json",
        random,
        [
            b'{"schema": "npuscope.baseline/1", "findings": [{"rule": "N201", "layer": "Conv_1", "model": "m.onnx"}]}'
        ],
    )


def _output(*endings: str) -> Callable[[Random], str]:
    return lambda random: random.choice(("out", "out", "out", "m", "b", "no/out")) + random.choice(endings)


def _of(*values: str) -> Callable[[Random], str]:
    return lambda random: random.choice(values)


_DRAWN: dict[str, Callable[[Random], str]] = {
    "--as-built": _as_built,
    "--mpool": lambda random: _file("p.mpool", random, [texts.MPOOL.encode()]),
    "--board": _board,
    "--baseline": _baseline,
    "--inputs": _samples,
    "--labels": _labels,
    "--metric": _python,
    "--reader": _python,
    "--layer": _layer,
    "--at": _layer,
    "--exclude": _layer,
    "--reference": _of("b.onnx", "m.onnx"),
    "--output": _output(".onnx", ".onnx", ".onnx", ".dot", ".json", ""),
    "--tail": _output(".onnx"),
    "--report": _output(".html", ".md", ".json", ".csv"),
    "--recipe": _output(".toml"),
    "--write-baseline": _output(".json"),
    "--write-board": _output(".toml"),
    "--explain-disagreements": _output(".json", ".txt"),
    "--seconds": _of("1", "1", "2", "0.001", "nan"),
    "--time-limit": _of("5s", "1", "0.1", "3s", "0.01s"),
    "--memory-limit": _of("64MB", "200M", "1GB", "2GB", "9" * 30),
    "--run-limit": _of("1", "0", "-1", "x"),
    "--samples": _of("1", "1", "2", "3", "0"),
    "--seed": _of("0", "1", "4294967295", "7", "-1"),
    "--toolchain": _of("2.0", "2.1", "2.2", "3.0", "4.0", "4.0"),
    "--profile": _of("nominal", "overdrive", "nominal"),
    "--optimization": _of("0", "1", "2", "3", "4"),
    "--input-data-type": _of("int8", "uint8", "float32", "int8", "uint8", "int8,uint8", "int4"),
    "--output-data-type": _of("int8", "uint8", "float32", "int8", "uint8", "int8,uint8", "int4"),
    "--inputs-ch-position": _of("chfirst", "chlast", "chfirst", "chfirst,chlast"),
    "--outputs-ch-position": _of("chfirst", "chlast", "chfirst", "chfirst,chlast"),
    "--match": _of("op=Conv", ">1ms", "where:cpu", "!x", "kernel=7", "op=", ">", "x y z", "<1e400ms", "!", "kernel=9999999999999999999"),
    "--loss": _of("exact", "needed", "any", "30", "nan", "-1"),
    "--least-db": _of("0", "25", "-200", "200", "201"),
    "--fail-below": _of("0", "25", "-200", "200", "201"),
    "--fail-drop": _of("0", "1", "nan", "-1", "1e308"),
    "--max-ms": _of("0", "0.001", "1", "1e8", "nan"),
    "--parts": _of("2", "1", "0", "1,1", "3+5", "8,8", "-1,2", "9999999999", "1," * 300 + "1"),
    "--axis": _of("in", "out"),
    "--radius": _of("0", "1", "3", "99999999", "-1"),
    "--kernel": _of("1", "3", "3x5", "0", "255", "99999999999", "3x3x3"),
    "--map": _of("1", "14", "7x20", "0", "99999", "99999999999999"),
    "--stride": _of("1", "2x1", "0", "9", "9999999"),
    "--dilation": _of("1", "2", "0", "99", "9999999"),
    "--pad": _of("same", "0", "1", "2x3", "-1", "999999"),
    "--out": _of("1", "64", "0", "99999999"),
    "--in": _of("1", "64", "257", "0", "99999999"),
    "--range": _of("1:16", "1:512:32", "1:300:7", "250:260", "1:99999999", "0:3", "1:5:0"),
    "--zero-point": _of("-128", "0", "5", "127"),
    "--image-mean": _of("0.5", "0,0,0", "nan", "1,2"),
    "--image-std": _of("0.5", "1,1,1", "0", "1,2"),
    "--image-size": _of("8x8", "0x0", "x", "99999999x1"),
}  # fmt: skip
