"""The build behind artefacts: version, options, clocks and memory pools. Never placements, epochs or cycles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from npuscope.machine.build import (
    ALT,
    AUTO,
    CHANNEL_POSITIONS,
    COMPILERS_OWN,
    DATA_TYPES,
    OPTIMIZATIONS,
    Build,
)
from npuscope.machine.machine import target
from npuscope.machine.pools import BYTE_WIDTHS, FREQ_RATIOS, LARGEST, PoolSpec, read_mpool
from npuscope.neural_art.artefacts.artefact import Artefact
from npuscope.neural_art.artefacts.readers.options import of_command
from npuscope.neural_art.artefacts.values import Pool
from npuscope.places import is_file

Options = Sequence[tuple[str, str]]
Number = TypeVar("Number", int, float)

_OFF = ("false", "0", "off")
_COMPILERS = (
    "--os",
    "--ocache-opt",
    "--native-float",
    "--cache-maintenance",
    "--load-mpool",
    "--load-mpool-file",
)
"""Options by one of which the compiler's own command line is known."""
_LEVELS = ("--optimization", "--optimize", "-O")
_USER_POOL = "_user_io_"
"""Name of the pools in which the application's own input and output buffers lie."""
_SYNONYMS = {"float": "float32", "chfirst": "chfirst", "chlast": "chlast"}


def build_of(artefacts: Iterable[Artefact], base: Build | None = None) -> Build:
    """`base` with what the artefacts state of the build, the first that states a thing deciding."""
    known = tuple(artefacts)
    build = base or Build()
    version = next((artefact.version for artefact in known if artefact.version), "")
    if version:
        build = replace(build, toolchain=version)
    compiler = next((options for a in known if (options := a.options) and _is_compilers(options)), ())
    if compiler:
        build = _with_compiler_options(build, compiler)
    for command in (command for artefact in known for command in front_end_commands(artefact)):
        build = _with_front_end_options(build, of_command(command))
        break
    # A report names only addresses and sizes: pools with their widths and rates come first.
    for artefact in sorted(known, key=lambda a: not any(pool.byte_width for pool in a.pools)):
        pools = specs(artefact.pools)
        if any(pool.writable for pool in pools):
            return replace(build, pools=pools, mpool=artefact.path)
    return build


def profiles(artefact: Artefact) -> tuple[str, ...]:
    """The names of the profiles of a user_neuralart.json."""
    return tuple(dict.fromkeys(name for name, _ in artefact.options))


def build_of_profile(artefact: Artefact, name: str, base: Build) -> Build:
    """`base` with the compiler options and the memory pools of one profile. Raises ModelError for unusable pools."""
    stated = [text for profile, text in artefact.options if profile == name]
    build = _with_compiler_options(
        base, of_command(" ".join(text for text in stated if text.startswith("-")))
    )
    for text in stated:
        key, _, path = text.partition(" ")
        place = Path(artefact.path).parent / path.strip().replace("\\", "/")
        if key == "memory_pool" and path.strip():
            place = place if place.suffix == ".mpool" else place.with_name(f"{place.name}.mpool")
            if is_file(place):
                build = replace(build, pools=read_mpool(place), mpool=str(place))
    return build


def front_end_commands(artefact: Artefact) -> Iterator[str]:
    """The command lines of `stedgeai` that an artefact holds."""
    for statement in artefact.properties:
        if (
            statement.name in ("Parameters", "cli_parameters", "arguments")
            and "--target" in statement.text
            and "--onnx-input" not in statement.text
        ):
            yield statement.text


def _is_compilers(options: Options) -> bool:
    return any(name.lower() in _COMPILERS for name, _ in options)


def _with_compiler_options(build: Build, options: Options) -> Build:
    """All options of the compiler are known: what is not among them was left at the compiler's own."""
    on = {name: value for name, value in options if value.lower() not in _OFF or _is_level(name)}
    level = COMPILERS_OWN
    for name, value in options:
        if _is_level(name) and (profile := value or name[2:]) in OPTIMIZATIONS:
            level = profile
    # network.c says which of the schedulers auto took.
    taken = ALT if "--alt-scheduler" in on else AUTO
    scheduler = taken if "--Oauto-sched" in on else ALT if "--Oalt-sched" in on else COMPILERS_OWN
    return replace(
        build,
        optimization=level,
        scheduler=scheduler,
        epoch_controller="--enable-epoch-controller" in on,
        swish="--SWISH-recognition" in on,
    )


def _is_level(name: str) -> bool:
    return name in _LEVELS or (len(name) == 3 and name.startswith("-O") and name[2].isdecimal())


def _with_front_end_options(build: Build, options: Options) -> Build:
    stated = dict(options)
    return replace(
        build,
        input_data_types=_words(stated.get("--input-data-type", ""), DATA_TYPES),
        output_data_types=_words(stated.get("--output-data-type", ""), DATA_TYPES),
        input_channel_positions=_words(stated.get("--inputs-ch-position", ""), CHANNEL_POSITIONS),
        output_channel_positions=_words(stated.get("--outputs-ch-position", ""), CHANNEL_POSITIONS),
    )


def _words(text: str, allowed: Sequence[str]) -> tuple[str, ...]:
    """The words of an option, '' for one we do not know, so that the others keep their place."""
    words = (word.strip().lower() for word in text.split(",")[:1000]) if text.strip() else ()
    known = tuple(_SYNONYMS.get(word, word) for word in words)
    return tuple(word if word in allowed else "" for word in known)


def specs(pools: Sequence[Pool]) -> tuple[PoolSpec, ...]:
    """Pools as the compiler was given them: without those of no size, its own joined ones and the application's.

    What the artefact does not say of a pool (a report has only addresses and sizes) is that of the memory it lies in.
    """
    standard = target().pools
    order = {pool.name: place for place, pool in enumerate(standard)}
    names = {pool.name for pool in pools}
    used = [
        _spec(pool, _memory(pool, standard))
        for pool in pools
        if pool.size and 0 < pool.size <= LARGEST and not pool.name.startswith(_USER_POOL)
        if not _joined(pool.name, names)
    ]
    return tuple(sorted(used, key=lambda pool: order.get(pool.name, len(order))))


def _joined(name: str, names: set[str]) -> bool:
    """'cpuRAM2_npuRAM3', of neighbouring pools that are listed too."""
    parts = name.split("_")
    return len(parts) > 1 and all(part in names for part in parts)


def _memory(pool: Pool, standard: Sequence[PoolSpec]) -> PoolSpec:
    """The memory of the machine that a pool lies in, by its address, else by its name."""
    start = pool.start
    if start is None:
        named = [memory for memory in standard if memory.name == pool.name]
        return named[0] if named else next(memory for memory in standard if memory.freq_ratio > 2)
    within = [m for m in standard if m.address <= start < m.address + m.size]
    same_device = [
        m for m in standard if m.address >> 28 == start >> 28 and (m.external or m.freq_ratio >= 2)
    ]
    return (within or same_device or [next(m for m in standard if m.freq_ratio >= 2)])[0]


def _spec(pool: Pool, memory: PoolSpec) -> PoolSpec:
    attributes = {name.lower(): text for name, text in pool.attributes}
    preferred = attributes.get("use_for_initrs", attributes.get("use4initializers", ""))
    read, write = (_figure(attributes.get(name)) for name in ("read_power", "write_power"))
    return PoolSpec(
        name=pool.name,
        size=pool.size or 0,
        byte_width=_within(pool.byte_width, BYTE_WIDTHS) or memory.byte_width,
        freq_ratio=_within(pool.freq_ratio, FREQ_RATIOS) or memory.freq_ratio,
        writable=memory.writable and attributes.get("rights") != "ACC_READ",
        constants_preferred=preferred.lower() in ("yes", "true", "1")
        if preferred
        else memory.constants_preferred,
        external=memory.external,
        address=pool.start if pool.start is not None else memory.address,
        read_power=memory.read_power if read is None else read,
        write_power=memory.write_power if write is None else write,
    )


def _within(value: Number | None, bounds: tuple[float, float]) -> Number | None:
    """A figure that a pool can have; None for one that it cannot."""
    return value if value is not None and bounds[0] <= value <= bounds[1] else None


def _figure(text: str | None) -> float | None:
    try:
        return None if text is None else min(max(float(text), 0.0), 1e6)
    except ValueError:
        return None
