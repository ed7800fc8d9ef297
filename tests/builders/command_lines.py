"""Command lines drawn at random: options of a command in any company, and the files they name, sound or damaged."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import onnx

from builders.artefacts import texts
from builders.drawn_files import (
    ODD,
    artefact,
    as_built,
    baseline,
    board,
    file,
    labels,
    python,
    samples,
)
from npuscope.cli.parser import COMMANDS, command_parser
from npuscope.neural_art.rules import RULES

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


def _positional(action: argparse.Action, random: Random, others: Sequence[bytes]) -> list[str]:
    if action.dest in ("model", "a"):
        return ["m.onnx"]
    if action.dest == "b":
        return ["b.onnx"]
    if action.dest == "recipe":
        return [file("recipe.toml", random, others)]
    if action.dest == "models":
        return random.choice((["m.onnx"], ["m.onnx", "b.onnx"], ["."], ["m.onnx", "nothing.onnx"]))
    if action.dest == "files":
        names = [artefact(random) for _ in range(random.choice((1, 1, 2)))]
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


def _output(*endings: str) -> Callable[[Random], str]:
    return lambda random: random.choice(("out", "out", "out", "m", "b", "no/out")) + random.choice(endings)


def _of(*values: str) -> Callable[[Random], str]:
    return lambda random: random.choice(values)


_DRAWN: dict[str, Callable[[Random], str]] = {
    "--as-built": as_built,
    "--mpool": lambda random: file("p.mpool", random, [texts.MPOOL.encode()]),
    "--board": board,
    "--baseline": baseline,
    "--inputs": samples,
    "--labels": labels,
    "--metric": python,
    "--reader": python,
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
