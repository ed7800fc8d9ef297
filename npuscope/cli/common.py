"""What commands share: their options, opening a model, and printing. Heavy imports happen inside functions."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from npuscope.edits.edit import Edit, Refusal
    from npuscope.machine.build import Build
    from npuscope.model.load import Source
    from npuscope.numbers.runner import Sample
    from npuscope.services.builds import BuildOptions
    from npuscope.session import Session
    from npuscope.snapshot import Snapshot

Wanted = TypeVar("Wanted")

DONE, FOUND, UNUSABLE = 0, 1, 2

MOST_DIGITS = 30
"""Of a number in an option."""


def target_options(parser: argparse.ArgumentParser, stated: bool = False) -> None:
    """The options of a build; where artefacts may have `stated` them, what is left out is theirs."""
    from npuscope.machine.board import BOARDS
    from npuscope.machine.build import ALT, AUTO, CHANNEL_POSITIONS, DATA_TYPES
    from npuscope.machine.catalogue import DEFAULT_PROFILE, DEFAULT_TOOLCHAIN, PROFILES, TOOLCHAINS

    first = "what the artefacts state, else " if stated else ""
    group = parser.add_argument_group("build", "how the model is compiled")
    group.add_argument(
        "--toolchain",
        metavar="VERSION",
        help=f"ST Edge AI Core version: {TOOLCHAINS[0]} to {TOOLCHAINS[-1]} (default {first}{DEFAULT_TOOLCHAIN})",
    )
    group.add_argument(
        "--profile",
        metavar="NAME",
        help=f"clocks: {' or '.join(PROFILES)} (default {first}{DEFAULT_PROFILE})",
    )
    group.add_argument(
        "--as-built",
        metavar="FILE",
        help="take version, options and memory pools from a report, c_info.json, network.c, atonn_options.ini or "
        "PROFILE@user_neuralart.json",
    )
    for option, what, metavar, words in (
        ("--input-data-type", "inputs", "TYPES", DATA_TYPES),
        ("--output-data-type", "outputs", "TYPES", DATA_TYPES),
        ("--inputs-ch-position", "inputs", "ORDERS", CHANNEL_POSITIONS),
        ("--outputs-ch-position", "outputs", "ORDERS", CHANNEL_POSITIONS),
    ):
        group.add_argument(
            option,
            metavar=metavar,
            help=f"as given to stedgeai: {', '.join(words)}; one for all {what}, or one for each, separated by commas",
        )
    group.add_argument("-O", "--optimization", metavar="LEVEL", help="optimization level, 0 to 3")
    scheduler = group.add_mutually_exclusive_group()
    scheduler.add_argument(
        "--Oauto-sched",
        dest="scheduler",
        action="store_const",
        const=AUTO,
        help="the compiler's automatic scheduler",
    )
    scheduler.add_argument(
        "--Oalt-sched",
        dest="scheduler",
        action="store_const",
        const=ALT,
        help="the compiler's other scheduler",
    )
    group.add_argument(
        "--enable-epoch-controller",
        dest="epoch_controller",
        action=argparse.BooleanOptionalAction,
        help="let the epoch controller run blobs of epochs without the CPU",
    )
    group.add_argument(
        "--SWISH-recognition",
        dest="swish_recognition",
        action=argparse.BooleanOptionalAction,
        help="every x * Sigmoid(x) becomes one Swish; without it, from 2.1 on those whose Sigmoid has the scale 1/256",
    )
    group.add_argument(
        "--board",
        metavar="NAME",
        help=f"{' or '.join(BOARDS)}, or a .toml file that compare wrote: memories, clocks and flash speed",
    )
    group.add_argument("--mpool", metavar="FILE", help="memory pools: an .mpool file (default ST's)")


def as_int8_options(parser: argparse.ArgumentParser) -> None:
    """--as-int8 and --symmetric."""
    group = parser.add_argument_group("a float model")
    group.add_argument(
        "--as-int8",
        action="store_true",
        help="judge a float model as if 'quantize' had made it int8: nothing is run, no weights are read",
    )
    group.add_argument(
        "--symmetric",
        action="store_true",
        help="with --as-int8: as if every zero point were 0, as 'quantize --symmetric' makes them",
    )


def refuse_to_write(options: argparse.Namespace, *names: str) -> None:
    """Raises ModelError where a model judged as if quantized is to be written, or edits of it."""
    from npuscope.model.errors import ModelError

    if not options.as_int8:
        return
    for name in names:
        if getattr(options, name, None):
            option = {"output": "-o"}.get(name, f"--{name}")
            raise ModelError(
                f"{option}: --as-int8 judges a model that does not exist yet; 'npuscope quantize MODEL -o OUT' makes it"
            )


def milliseconds(text: str) -> float:
    """An option's type: a time in milliseconds."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a number of milliseconds above 0")
    return value


def color_option(group: argparse._ActionsContainer) -> None:
    """--color."""
    group.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="colours (default auto: on a terminal, unless NO_COLOR is set)",
    )


def limit_options(parser: argparse.ArgumentParser) -> None:
    """--memory-limit and --time-limit."""
    from npuscope.model.budget import DEFAULT, JUDGED_NODES, OWN_WORK

    group = parser.add_argument_group(
        "limits",
        "of the processes in which onnx infers shapes that npuscope has no rule for, and onnxruntime opens and runs models. "
        "If one is reached, npuscope says so, and shapes stay unknown or the model is not run. "
        f"Opening and judging a model may take {OWN_WORK} times as long. "
        f"A model of more than {JUDGED_NODES:,} nodes is counted, not judged.",
    )
    group.add_argument(
        "--memory-limit",
        metavar="SIZE",
        help=f"memory, such as 800M or 1.5GB (default {DEFAULT.memory >> 20}MB, plus three times the size of a model that is run)",
    )
    group.add_argument(
        "--time-limit",
        metavar="TIME",
        help=f"time for each step, such as 20, 90s or 2min (default {DEFAULT.seconds:g}s; more for a large model that is run)",
    )


def sample_options(parser: argparse.ArgumentParser) -> None:
    """--inputs, --samples and --seed."""
    parser.add_argument(
        "--inputs",
        type=existing,
        metavar="PATH",
        help="samples: .npz, .npy or a folder of them (default: random in each input's range)",
    )
    parser.add_argument(
        "--samples", type=integer(1, 10_000), default=8, metavar="N", help="how many samples (default 8)"
    )
    parser.add_argument(
        "--seed",
        type=integer(0, 2**32 - 1),
        default=0,
        metavar="N",
        help="seed of random samples (default 0)",
    )


def output_options(parser: argparse.ArgumentParser, required: bool, text: str) -> None:
    """-o and --force."""
    parser.add_argument("-o", "--output", metavar="OUT", required=required, help=text)
    parser.add_argument("--force", action="store_true", help="overwrite OUT (never the model itself)")


def one_of_endings(option: str, path: str, *endings: str) -> None:
    """Raises ModelError for a file whose name asks for another format than can be written."""
    from npuscope.model.errors import ModelError

    if not path.lower().endswith(endings):
        allowed = f"{', '.join(endings[:-1])} or {endings[-1]}"
        raise ModelError(f"{option} {path}: the name must end in {allowed}, which selects the format")


def existing(text: str) -> str:
    """An option's type: a path where something is, also where nothing comes to read it."""
    from npuscope.model.names import printable
    from npuscope.places import is_there

    if not is_there(text):
        raise argparse.ArgumentTypeError(f"{printable(text)}: no such file or folder; check the path")
    return text


def integer(lowest: int, highest: int) -> Callable[[str], int]:
    """An option's type: an integer in a range, both ends included."""

    def parse(text: str) -> int:
        try:
            value = int(text) if len(text) <= MOST_DIGITS else None
        except ValueError:
            value = None
        if value is None or not lowest <= value <= highest:
            raise argparse.ArgumentTypeError(
                f"{text[:MOST_DIGITS]!r} is not a number from {lowest} to {highest}"
            )
        return value

    return parse


def seconds(text: str) -> float:
    """An option's type: a time in seconds, up to a day."""
    from npuscope.model.budget import MOST_SECONDS

    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= MOST_SECONDS:
        raise argparse.ArgumentTypeError(
            f"{text[:MOST_DIGITS]!r} is not a number of seconds up to {MOST_SECONDS}"
        )
    return value


def decibels(text: str) -> float:
    """An option's type: a ratio in dB."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not -200 <= value <= 200:
        raise argparse.ArgumentTypeError(f"{text[:MOST_DIGITS]!r} is not a number of dB from -200 to 200")
    return value


def open_session(options: argparse.Namespace) -> Session:
    """The model of the command line, judged for its target."""
    from npuscope.machine.machine import target_of
    from npuscope.session import Session

    return Session.open(judged_model(options, options.model), target_of(build_of(options)))


def judged_model(options: argparse.Namespace, path: str) -> Source:
    """The model at a path, as if quantized where --as-int8 asks for it. Raises ModelError."""
    from npuscope.model.errors import ModelError

    as_int8, symmetric = getattr(options, "as_int8", False), getattr(options, "symmetric", False)
    if symmetric and not as_int8:
        raise ModelError("--symmetric: applies to --as-int8; give it as well")
    source = open_model(path)
    if not as_int8:
        return source
    from npuscope.model.as_int8.symbolic import as_int8 as quantized

    return quantized(source, symmetric)


def build_of(options: argparse.Namespace) -> Build:
    """The build of the command line. Raises ModelError for an option that is not known."""
    return build_options(options).build()


def build_options(options: argparse.Namespace) -> BuildOptions:
    """What the command line says of the build."""
    from dataclasses import fields

    from npuscope.services.builds import BuildOptions

    return BuildOptions(**{field.name: getattr(options, field.name) for field in fields(BuildOptions)})


def open_model(path: str) -> Source:
    """The model at a path; where an artefact of ST's tools lies there, the error names the command for it."""
    from npuscope.model.errors import ModelError
    from npuscope.model.names import typed
    from npuscope.services import open as opening

    try:
        return opening.open_model(path)
    except ModelError:
        kind = opening.artefact_title(path)
        if not kind:
            raise
        raise ModelError(
            f"{path}: is a {kind} of ST's tools, not a model; see 'npuscope compare {typed(path)}'"
        ) from None


def chosen_samples(options: argparse.Namespace, session: Session) -> tuple[Sample, ...]:
    """The samples the options ask for."""
    from npuscope.numbers.sample_sources import samples_or_random

    return samples_or_random(options.inputs, session.source, options.samples, options.seed)


def applied(options: argparse.Namespace, session: Session, edits: Sequence[Edit]) -> Session:
    """The session with edits made, calibrated on the samples the options ask for. Raises ModelError."""
    from npuscope.services.apply import Calibration, apply_edits

    done = apply_edits(session, edits, Calibration(options.inputs, options.samples, options.seed))
    if done.warning:
        sys.stderr.write(f"npuscope: {done.warning}\n")
    return unwrap(done.session)


def write_model(options: argparse.Namespace, session: Session) -> int:
    """Write the edited model to -o; 1 where onnxruntime refuses it, as it refused the model that was opened.

    Raises ModelError, and then nothing is written.
    """
    return write_to(options.output, session, options.force)


def write_to(path: str, session: Session, force: bool) -> int:
    """Write the edited model to a path; the status and the errors of `write_model`."""
    from npuscope.cli.console import note
    from npuscope.files.onnx_file import write

    result = write(session, path, force=force)
    for complaint in result.complaints:
        note(f"{result.path}: {complaint} (the same holds for {session.source.path.name})")
    return FOUND if any(complaint.startswith("onnxruntime") for complaint in result.complaints) else DONE


def unwrap(result: Wanted | Refusal) -> Wanted:
    """The result, or an error where it is a refusal."""
    from npuscope.edits.edit import Refusal
    from npuscope.model.errors import ModelError

    if isinstance(result, Refusal):
        raise ModelError(str(result))
    return result


def layer_name(session: Session, name: str) -> str:
    """A layer's name as the model has it; the form the tables print is understood too."""
    return known_name("--layer", name, session.layers.by_name, "layer")


def known_name(option: str, name: str, names: Collection[str], what: str) -> str:
    """The one of the names that an option means, in full or as the tables print it. Raises ModelError."""
    from difflib import get_close_matches

    from npuscope.model.brief import brief_names
    from npuscope.model.errors import ModelError
    from npuscope.model.names import printable

    if name in names:
        return name
    shown = {printable(short): known for known, short in brief_names(names).items()}
    shown |= {printable(known): known for known in names}
    if name in shown:
        return shown[name]
    close = get_close_matches(name, shown, 1)
    hint = f"did you mean {close[0]!r}?" if close else "'npuscope check' lists the layers"
    raise ModelError(f"{option} {name!r}: the model has no such {what}; {hint}")


def fails(snapshot: Snapshot, level: str) -> bool:
    """Whether a layer is what `--fail-on` names, or worse."""
    from npuscope.npu.verdict import Severity

    summary = snapshot.summary
    if level == "memory":
        return bool(snapshot.memory.too_full)
    if level == "sw":
        return summary.on_cpu > 0
    if level == "hybrid":
        return summary.off_npu > 0
    return summary.off_npu > 0 or any(
        finding.severity is not Severity.ADVICE for report in snapshot.layers for finding in report.findings
    )
