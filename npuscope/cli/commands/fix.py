"""List the edits that help a layer or the model, and apply them by name.

Edits that change numbers are measured. Exit status 1 where an output keeps less than --least-db.

Examples:
  npuscope fix model.onnx                      edits of the whole model, then those of layers that save most
  npuscope fix model.onnx --layer Conv_7       edits that help a layer
  npuscope fix model.onnx pad-in layer=Conv_7 channels=264 -o fixed.onnx
"""

from __future__ import annotations

import argparse
import dataclasses
import tomllib
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_type_hints

from npuscope.cli.common import (
    DONE,
    FOUND,
    applied,
    as_int8_options,
    layer_name,
    open_session,
    output_options,
    refuse_to_write,
    sample_options,
    target_options,
    unwrap,
    write_model,
)
from npuscope.cli.console import print_json, print_text, progress, written
from npuscope.cli.losses import least_option, loss_of
from npuscope.cli.parser import Parser

if TYPE_CHECKING:
    from npuscope.edits.edit import Edit
    from npuscope.session import Session

SCHEMA = "npuscope.fix/1"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("model", metavar="MODEL", help="the .onnx or .tflite file")
    parser.add_argument(
        "words",
        nargs="*",
        default=[],
        metavar="KIND [FIELD=VALUE ...]",
        help="edits to apply, as the list shows them: pad-in layer=Gemm_28 channels=264; "
        "fix-dimensions frames=30. Without any, list the edits worth making",
    )
    parser.add_argument(
        "--layer", metavar="NAME", help="list the edits of this layer, not of the whole model"
    )
    parser.add_argument("--json", action="store_true", help=f"one JSON object (schema {SCHEMA})")
    output_options(parser, False, "write the edited model here; without it, only show what would change")
    sample_options(parser)
    least_option(parser, "exit status 1 where an output keeps a smaller ratio of signal to difference")
    as_int8_options(parser)
    target_options(parser)
    if isinstance(parser, Parser):
        parser.below = kinds_text


def run(options: argparse.Namespace) -> int:
    """Run `fix`."""
    refuse_to_write(options, "output")
    session = open_session(options)
    if options.as_int8 and not options.json:
        from npuscope.model.names import printable
        from npuscope.reports.text_report import IF_QUANTIZED

        print_text(f"{printable(session.source.path.name)}{IF_QUANTIZED}")
    if options.words:
        return _make(options, session)
    if options.layer is not None:
        return _list_layer(options, session, layer_name(session, options.layer))
    return _list_model(options, session)


# -- lists


def _list_layer(options: argparse.Namespace, session: Session, layer: str) -> int:
    from npuscope.planning.outcome import outcome
    from npuscope.planning.ranked_fixes import by_worth, propose_edits
    from npuscope.reports.fix_report import layer_json, layer_text
    from npuscope.snapshot import analyse

    snapshot = analyse(session)
    previews = propose_edits(session, snapshot, layer, limit=24)
    report = snapshot.by_name[layer]
    outcomes = {one.edit: made for one in previews if (made := outcome(session, snapshot, one)) is not None}
    previews = by_worth(previews, outcomes)
    in_model = [outcomes.get(one.edit) for one in previews]
    if options.json:
        edits = [layer_json(one, made, report) for one, made in zip(previews, in_model, strict=True)]
        print_json(
            {
                "schema": SCHEMA,
                "layer": layer,
                "model_ms": snapshot.summary.milliseconds,
                "edits": edits,
                "as_int8": options.as_int8,
            }
        )
    else:
        print_text(layer_text(previews, in_model, report, snapshot.summary.milliseconds))
    return DONE


def _list_model(options: argparse.Namespace, session: Session) -> int:
    from npuscope.edits.edit import Refusal
    from npuscope.edits.gain import LAYERS, Gains
    from npuscope.planning.gains import WORK_BEHIND, weigh
    from npuscope.planning.whole_model import free_sizes, whole_model_edits
    from npuscope.reports.fix_report import model_json, model_text
    from npuscope.snapshot import analyse

    before = analyse(session)
    rows = []
    # As far as the explorer looks; not where zero points, as if quantized, are not known.
    of_layers: tuple[Edit, ...] = ()
    if not options.as_int8:
        with progress("trying edits of the layers") as job:
            found = weigh(session, before, WORK_BEHIND, job)
            of_layers = Gains(gain for gains in found for gain in gains).best(LAYERS)
    for edit in (*whole_model_edits(session), *of_layers):
        after = session.edit(edit)
        rows.append((edit, None if isinstance(after, Refusal) else analyse(after, before).summary))
    free = free_sizes(session.graph)
    if options.json:
        edits = [model_json(edit, after) for edit, after in rows]
        print_json(
            {
                "schema": SCHEMA,
                "layer": None,
                "free_sizes": list(free),
                "edits": edits,
                "as_int8": options.as_int8,
            }
        )
    else:
        print_text(model_text(rows, before.summary, free))
    return DONE


# -- edits by name


def _make(options: argparse.Namespace, session: Session) -> int:
    from npuscope.reports.change_report import change_json, change_words
    from npuscope.reports.several.verify_report import loss_text
    from npuscope.snapshot import analyse

    edits = parsed(options.words, options.layer)
    changed = applied(options, session, edits)
    before = analyse(session)
    after = analyse(changed, before)
    loss = loss_of(options, changed)
    status = write_model(options, changed) if options.output else DONE
    if loss is not None and loss.not_enough:
        status = FOUND
    if options.json:
        print_json(change_json(changed, before, after, loss.whole_model if loss is not None else None))
        return status
    print_text("\n".join(f"{edit.describe()} ({edit.exactness.value})" for edit in edits))
    print_text(change_words(changed, before, after))
    if loss is not None:
        print_text(loss_text(loss))
    if options.output:
        print_text(written(options.output))
    return status


_LISTED = "'npuscope fix --help' lists all"


def kinds_text() -> str:
    """Every kind of edit with its fields, those in brackets where they may be left out, and what it is."""
    from npuscope.edits.registry import KINDS

    lines = ["kinds of edits:"]
    for kind, edit in KINDS.items():
        hints = get_type_hints(edit)
        fields = [
            name if field.default is dataclasses.MISSING else f"[{name}]"
            for field in dataclasses.fields(edit)
            for name in (_field_text(kind, field.name, hints[field.name]),)
        ]
        lines += ["  " + " ".join((kind, *fields)), f"      {(edit.__doc__ or '').splitlines()[0]}"]
    return "\n".join(lines) + "\n"


def _field_text(kind: str, name: str, hint: Any) -> str:
    """'channels=N': a field as words give it."""
    if kind == "fix-dimensions":
        return "SIZE=N ..."
    known = {
        str: "NAME" if name == "layer" else "TEXT",
        int: "N",
        float: "X",
        bool: "true|false",
        tuple[int, ...]: "N+N",
    }
    return f"{name}={known.get(hint, '[...]')}"


def parsed(words: list[str], layer: str | None = None) -> tuple[Edit, ...]:
    """Edits from words: a kind, then its fields. Raises ModelError."""
    from npuscope.edits.registry import KINDS, from_data
    from npuscope.model.errors import ModelError
    from npuscope.planning.whole_model import parse_dimensions

    tables: list[tuple[str, list[str]]] = []
    for word in words:
        if word in KINDS:
            tables.append((word, []))
        elif tables and "=" in word:
            tables[-1][1].append(word)
        elif "=" in word:
            raise ModelError(f"{word!r}: name an edit before its fields; {_LISTED}")
        else:
            close = get_close_matches(word, KINDS, 1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ModelError(f"there is no edit of kind {word!r}; {hint}{_LISTED}")
    edits: list[Edit] = []
    for kind, fields in tables:
        if kind == "fix-dimensions":
            edits.append(unwrap(parse_dimensions(" ".join(fields))))
            continue
        data: dict[str, Any] = {"kind": kind}
        for field in fields:
            name, _, text = field.partition("=")
            data[name] = _value(text)
        if layer is not None and "layer" not in data:
            data["layer"] = layer
        if isinstance(data.get("layer"), (int, float)):
            data["layer"] = next(text for text in fields if text.startswith("layer=")).removeprefix("layer=")
        edits.append(from_data(data))
    return tuple(edits)


def _value(text: str) -> Any:
    """A number, a truth value, sizes (144+113 or 144,113), else the text itself."""
    from npuscope.planning.whole_model import MOST_DIGITS

    parts = text.replace("+", ",").split(",")
    if len(parts) > 1 and all(part.strip().isdecimal() for part in parts):
        return [int(part) for part in parts] if max(map(len, parts)) <= MOST_DIGITS else text
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # no TOML, too many digits, too many brackets
        return text
    return value if isinstance(value, (int, float, bool, list)) else text
