"""Configuration files: machine description (.mdesc), compilation profiles, memory pools (.mpool)."""

from __future__ import annotations

from typing import Any

from npuscope.neural_art.artefacts.readers.c_info_graph import printed
from npuscope.neural_art.artefacts.readers.options import of_command
from npuscope.neural_art.artefacts.text.documents import integer_of, listing, mapping, number_of, text_of
from npuscope.neural_art.artefacts.text.figures import byte_count, integer
from npuscope.neural_art.artefacts.values import Content, Pool, Property, Totals

MACHINE, PROFILES, MEMORY = "mdesc", "profiles", "mpool"
MAX_ENTRIES = 1000


def is_machine(document: dict[str, Any]) -> bool:
    """A machine description."""
    return "accelerators" in mapping(document.get("machine"))


def is_profiles(document: dict[str, Any]) -> bool:
    """A file of compilation profiles."""
    return isinstance(document.get("Profiles"), dict)


def is_memory(document: dict[str, Any]) -> bool:
    """A file of memory pools."""
    return "mempools" in mapping(document.get("memory"))


def read_machine(document: dict[str, Any]) -> Content:
    """Accelerators as options (type, number), clock as the NPU's."""
    machine = mapping(document.get("machine"))
    counts: dict[str, int] = {}
    not_understood: dict[str, None] = {}
    stated = [
        Property("machine", key, printed(value)) for key, value in machine.items() if key != "accelerators"
    ]
    stated += [
        Property("externals", key, printed(value))
        for key, value in mapping(document.get("externals")).items()
    ]
    for entry in listing(machine.get("accelerators"))[:MAX_ENTRIES]:
        kind, number = text_of(mapping(entry).get("type")), integer_of(mapping(entry).get("num"))
        if kind and number is not None:
            counts[kind] = counts.get(kind, 0) + number
        else:
            not_understood.setdefault("an accelerator without type or number")
            continue
        fields = mapping(entry)
        text = ", ".join(f"{key} {printed(value)}" for key, value in fields.items() if key != "type")
        stated.append(Property("accelerators", kind, text))
    clock = number_of(machine.get("frequency"))
    options = tuple((kind, str(number)) for kind, number in counts.items())
    totals = Totals(npu_hz=None if clock is None else round(clock * 1e6))
    return Content(
        MACHINE,
        options=options,
        totals=totals,
        properties=tuple(stated[:MAX_ENTRIES]),
        not_understood=tuple(not_understood),
    )


def read_profiles(document: dict[str, Any]) -> Content:
    """Each profile's options, with its name in front: ('default', '--Os')."""
    profiles: list[tuple[str, str]] = []
    not_understood: dict[str, None] = {}
    for name, profile in list(mapping(document.get("Profiles")).items())[:MAX_ENTRIES]:
        if not isinstance(profile, dict):
            not_understood.setdefault(f"profile {name[:40]!r}")
            continue
        for key, value in profile.items():
            if key == "options":
                profiles += [
                    (name, f"{flag} {values}".strip()) for flag, values in of_command(text_of(value))
                ]
            elif key in ("memory_pool", "machine_desc", "memory_desc"):
                profiles.append((name, f"{key} {text_of(value)}"))
            else:
                not_understood.setdefault(f"key {key[:40]!r} of a profile")
    known = mapping(document.get("Globals")).items()
    stated = tuple(Property("Globals", key, printed(value)) for key, value in list(known)[:MAX_ENTRIES])
    return Content(PROFILES, options=tuple(profiles), properties=stated, not_understood=tuple(not_understood))


def read_memory(document: dict[str, Any]) -> Content:
    """The pools, sizes in bytes."""
    pools: list[Pool] = []
    not_understood: dict[str, None] = {}
    for entry in listing(mapping(document.get("memory")).get("mempools"))[:MAX_ENTRIES]:
        pool = mapping(entry)
        name, properties = text_of(pool.get("name")), mapping(pool.get("prop"))
        if not name:
            not_understood.setdefault("a pool without a name")
            continue
        pools.append(
            Pool(
                name,
                size=_amount(pool.get("size"), not_understood),
                start=_amount(pool.get("offset"), not_understood),
                byte_width=integer_of(properties.get("byteWidth")),
                freq_ratio=number_of(properties.get("freqRatio")),
                attributes=tuple(
                    (key[:60], printed(value))
                    for key, value in (*((key, pool.get(key)) for key in _OF_POOL), *properties.items())
                    if key not in ("byteWidth", "freqRatio") and value is not None
                ),
            )
        )
    memory = mapping(document.get("memory"))
    stated = [Property("memory", "mem_file_prefix", printed(memory.get("mem_file_prefix")))]
    stated += [
        Property("memory", "cacheinfo", printed(cache))
        for cache in listing(memory.get("cacheinfo"))[:MAX_ENTRIES]
    ]
    for parameter in map(mapping, listing(mapping(document.get("params")).get("param"))[:MAX_ENTRIES]):
        amount = f"{printed(parameter.get('value'))} {printed(parameter.get('magnitude'))}"
        stated.append(Property("params", text_of(parameter.get("paramname")), amount.strip()))
    return Content(
        MEMORY,
        pools=tuple(pools),
        properties=tuple(one for one in stated if one.text),
        not_understood=tuple(not_understood),
    )


_OF_POOL = ("fname", "fformat", "mode", "bus", "port")


def _amount(value: Any, not_understood: dict[str, None]) -> int | None:
    """{"value": "448", "magnitude": "KBYTES"} in bytes."""
    amount, unit = text_of(mapping(value).get("value")), text_of(mapping(value).get("magnitude"))
    if amount[:2].lower() == "0x":
        return integer(amount) if unit == "BYTES" else None
    size = byte_count(amount, unit)
    if size is None and value is not None:
        not_understood.setdefault(f"amount {amount[:20]!r} {unit[:20]!r}")
    return size
