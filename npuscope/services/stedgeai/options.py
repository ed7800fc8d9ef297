"""Which options ST's compiler is given for a model, and why each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from npuscope.machine.build import ALT, AUTO, COMPILERS_OWN, DATA_TYPES, FLOAT32, Build
from npuscope.machine.machine import Target, target_of
from npuscope.machine.pools import PoolSpec
from npuscope.machine.toolchain import first_with
from npuscope.machine.variants import without_external_memory
from npuscope.model.graph import Graph, Node
from npuscope.npu.times import in_ms
from npuscope.record import dataclass
from npuscope.services.builds import BuildOptions
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

PROFILE = "npuscope"
"""Name of the profile that is written."""
PROFILE_FILE = "user_neuralart.json"
"""As ST's scripts and model packages spell it; some of its projects write user_neural_art.json, which is read as well."""
POOLS_FILE = f"{PROFILE}.mpool"
OUTPUT, WORKSPACE = "st_ai_output", "st_ai_ws"
"""Folders the compiler writes to, by its own default names."""
DEFAULT_LEVEL = "3"


@dataclass(frozen=True, slots=True)
class Option:
    """An option and its reason. `option` is '' where the reason is for leaving something out."""

    option: str
    reason: str
    source: str
    """'asked', 'as built', 'predicted', or a name of docs/sources.md."""


@dataclass(frozen=True, eq=False)
class Compilation:
    """How a model is to be compiled: what goes into the profile, on the command line, and the pools.

    `snapshot` is the prediction for just these options.
    """

    session: Session
    snapshot: Snapshot
    profile: tuple[Option, ...]
    command_line: tuple[Option, ...]
    pools: tuple[PoolSpec, ...]
    pools_reason: Option
    notes: tuple[str, ...]

    @property
    def target(self) -> Target:
        """What the options were chosen for."""
        return self.snapshot.target

    @property
    def profile_options(self) -> str:
        """The profile's options as its file has them."""
        return " ".join(option.option for option in self.profile if option.option)

    def arguments(self, program: str, model: Path, folder: Path) -> list[str]:
        """The command: `folder` holds the profile, and is written to."""
        words = [word for option in self.command_line for word in option.option.split()]
        return [
            program,
            "generate",
            "--target",
            "stm32n6",
            "--model",
            str(model),
            "--st-neural-art",
            f"{PROFILE}@{folder / PROFILE_FILE}",
            "--name",
            "network",
            *words,
            "--output",
            str(folder / OUTPUT),
            "--workspace",
            str(folder / WORKSPACE),
        ]


def choose(session: Session, asked: BuildOptions) -> Compilation:
    """The options for a model: what was `asked` for stands, the rest is what the prediction says is best.

    Raises ModelError for an option that is not known.
    """
    target, pools_reason = _pools(session, asked)
    target, controller = _epoch_controller(session, target, asked)
    build = target.build
    level, scheduler = _level(build, asked), _scheduler(build, asked)
    inputs, outputs = _borders(session.graph, build)
    target = target_of(
        replace(
            build,
            pools=target.pools,
            optimization=_level_of(level),
            scheduler=_scheduler_of(scheduler),
            input_data_types=_words(inputs, build.input_data_types),
            output_data_types=_words(outputs, build.output_data_types),
        )
    )
    chosen = replace(session, target=target)
    profile = (level, scheduler, controller, *_always(target), *_softmax(chosen))
    positions = tuple(
        Option(f"{name} {','.join(words)}", "as asked", "asked")
        for name, words in (
            ("--inputs-ch-position", build.input_channel_positions),
            ("--outputs-ch-position", build.output_channel_positions),
        )
        if words
    )
    return Compilation(
        chosen,
        analyse(chosen),
        profile,
        (*inputs, *outputs, *positions),
        target.pools,
        pools_reason,
        _notes(chosen),
    )


# -- memory


def _pools(session: Session, asked: BuildOptions) -> tuple[Target, Option]:
    """On-chip memory alone where all fits in it; pools that were named stay."""
    target = target_of(asked.build())
    if asked.mpool is not None:
        return target, Option("memory_pool", f"the pools of {asked.mpool}", "asked")
    if target.build.pools:
        return target, Option("memory_pool", f"the pools of {target.mpool}", "as built")
    internal = without_external_memory(target)
    memory = analyse(replace(session, target=internal)).memory
    room = sum(pool.size for pool in internal.pools)
    need = memory.weights_bytes + memory.peak_activations
    sizes = f"{_kib(memory.weights_bytes)} of weights and {_kib(memory.peak_activations)} of activations"
    if not memory.too_full:
        return internal, Option(
            "memory_pool",
            f"on the chip alone: {sizes} fit in {_kib(room)}, and no slow memory is read while it runs; the weights "
            "must be in RAM before the first inference",
            "predicted",
        )
    where = f"{target.build.board.name}'s" if target.build.board is not None else "ST's default"
    return target, Option(
        "memory_pool",
        f"{where} pools with external memory: {sizes} ({_kib(need)}) do not fit in the {_kib(room)} on the chip",
        "predicted",
    )


def _kib(count: int) -> str:
    return f"{-(-count // 1024)} KiB"


# -- the profile


def _epoch_controller(session: Session, target: Target, asked: BuildOptions) -> tuple[Target, Option]:
    """What was said of it, else whichever is predicted to be faster."""
    name = "--enable-epoch-controller"
    if asked.epoch_controller is not None or asked.as_built is not None:
        source = "asked" if asked.epoch_controller is not None else "as built"
        words = "set" if target.epoch_controller else "left out"
        return target, Option(name if target.epoch_controller else "", f"epoch controller: {words}", source)
    without, with_it = (
        target_of(replace(target.build, pools=target.pools, epoch_controller=on)) for on in (False, True)
    )
    slow, fast = (analyse(replace(session, target=t)).summary.milliseconds for t in (without, with_it))
    if fast < slow:
        words = (
            f"epochs run in blobs without the CPU: {in_ms(fast)} ms predicted, {in_ms(slow)} ms without it"
        )
        return with_it, Option(name, words, "predicted")
    words = f"epoch controller: left out, {in_ms(fast)} ms predicted with it, {in_ms(slow)} ms without"
    return without, Option("", words, "predicted")


def _level(build: Build, asked: BuildOptions) -> Option:
    if build.optimization == COMPILERS_OWN:
        return Option("", "optimization level: the compiler's own", _source(asked.optimization))
    if build.optimization:
        words = f"level {build.optimization} of 0 to 3"
        return Option(f"--optimization {build.optimization}", words, _source(asked.optimization))
    return Option(
        f"--optimization {DEFAULT_LEVEL}", "the level of ST's own profiles for the N6", "ST compiler"
    )


def _level_of(option: Option) -> str:
    return option.option.rpartition(" ")[2] or COMPILERS_OWN


def _scheduler(build: Build, asked: BuildOptions) -> Option:
    names = {AUTO: "--Oauto-sched", ALT: "--Oalt-sched"}
    if build.scheduler in names:
        return Option(
            names[build.scheduler], f"the compiler's {build.scheduler} scheduler", _source(asked.scheduler)
        )
    if build.scheduler == COMPILERS_OWN:
        return Option("", "scheduler: the compiler's own", "as built")
    return Option(names[AUTO], "the scheduler of ST's own profiles for the N6", "ST compiler")


def _scheduler_of(option: Option) -> str:
    return {"--Oauto-sched": AUTO, "--Oalt-sched": ALT}.get(option.option, COMPILERS_OWN)


def _source(value: str | None) -> str:
    return "asked" if value is not None else "as built"


def _always(target: Target) -> tuple[Option, ...]:
    """What every profile of ST's has, and what `compare` reads."""
    every = [
        Option(
            "--native-float",
            "operators left in float run on the CPU instead of being refused",
            "ST compiler",
        ),
        Option(
            "--cache-maintenance", "code that keeps the CPU's and the NPU's caches coherent", "ST compiler"
        ),
        Option("--Ocache-opt", "fewer of these operations", "ST compiler"),
        Option("--enable-virtual-mem-pools", "a tensor may lie across neighbouring banks", "ST compiler"),
        Option("--Os", "memory before speed where the two are at odds", "ST compiler"),
        Option("--Omax-ca-pipe 4", "all four convolution accelerators may work in series", "ST compiler"),
        Option("--all-buffers-info", "c_info.json lists every tensor, which compare reads", "ST c_info"),
        Option(
            "--csv-file network",
            "network.csv with cycles and traffic of each epoch, which compare reads",
            "ST model zoo",
        ),
    ]
    if target.build.swish:
        every.append(Option("--SWISH-recognition", "every x * Sigmoid(x) is one Swish", "asked"))
    if not target.toolchain.vectorizes:
        every.insert(
            1,
            Option(
                "--mvei",
                f"kernels on the CPU use its vector unit; the default from {first_with('vectorizes')} on",
                "ST compiler",
            ),
        )
    return tuple(every)


def _softmax(session: Session) -> tuple[Option, ...]:
    count = sum(layer.kind == "Softmax" for layer in session.layers.layers)
    if not count or not session.target.toolchain.expand_softmax:
        return ()
    each = "its Softmax" if count == 1 else f"its {count} Softmax"
    words = f"{each} as operators that the NPU has; not seen compiled, so that the prediction still has it on the CPU"
    return (Option("--expand-softmax", words, "third-party: deployment-zoo"),)


# -- inputs and outputs


def _borders(graph: Graph, build: Build) -> tuple[tuple[Option, ...], tuple[Option, ...]]:
    return (
        _border(
            "--input-data-type", [_input_type(graph, name) for name in graph.inputs], build.input_data_types
        ),
        _border(
            "--output-data-type",
            [_output_type(graph, name) for name in graph.outputs],
            build.output_data_types,
        ),
    )


def _border(name: str, types: Sequence[tuple[str, bool]], values: Sequence[str]) -> tuple[Option, ...]:
    """The option, () where each keeps its type or where a type has no word."""
    if values:
        return (Option(f"{name} {','.join(values)}", "as asked", "asked"),) if all(values) else ()
    words = [word for word, _ in types]
    if not any(changed for _, changed in types) or not all(word in DATA_TYPES for word in words):
        return ()
    text = words[0] if len(set(words)) == 1 else ",".join(words)
    what = "inputs" if name.startswith("--input") else "outputs"
    return (
        Option(
            f"{name} {text}",
            f"the float {what} are quantized at once: as integers they need no conversion on the CPU, and the "
            "application uses the model's scale and zero point",
            "FACTS 3.1",
        ),
    )


def _input_type(graph: Graph, name: str) -> tuple[str, bool]:
    """The element type it can have, and whether that is another than in the model."""
    readers = [node for node in graph.nodes if name in node.inputs]
    return _stored(graph, name, readers, "QuantizeLinear", lambda node: node.output(0))


def _output_type(graph: Graph, name: str) -> tuple[str, bool]:
    writers = [node for node in graph.nodes if name in node.outputs]
    return _stored(graph, name, writers, "DequantizeLinear", lambda node: node.input(0))


def _stored(
    graph: Graph, name: str, nodes: Sequence[Node], op: str, stored: Callable[[Node], str]
) -> tuple[str, bool]:
    own = graph.types[name].dtype if name in graph.types else ""
    if own != FLOAT32 or not nodes or any(node.op != op for node in nodes):
        return own, False
    types = {graph.types[tensor].dtype if (tensor := stored(node)) in graph.types else "" for node in nodes}
    dtype = types.pop() if len(types) == 1 else ""
    return (dtype, True) if dtype in DATA_TYPES and dtype != FLOAT32 else (own, False)


def _words(options: Sequence[Option], values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(options[0].option.partition(" ")[2].split(",")) if options else values


FEWER_OPTIONS = ("2.0",)
"""Versions that were seen with fewer options than those after them."""


def _notes(session: Session) -> tuple[str, ...]:
    notes = []
    if session.graph.imported:
        notes.append(
            f"{session.source.path.name} is the intermediate form that ST's front end wrote: stedgeai takes the model "
            "it was made from"
        )
    if session.target.toolchain.version in FEWER_OPTIONS:
        notes.append("these are options of 2.1 and later; 2.0 was seen with fewer")
    return tuple(notes)
