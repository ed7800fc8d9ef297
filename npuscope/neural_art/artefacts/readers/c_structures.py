"""The generated C file's structures: how each unit, stream engine, switch and software kernel is set up."""

from __future__ import annotations

import re
from dataclasses import field

from npuscope.neural_art.artefacts.values import Structure, Traffic
from npuscope.record import dataclass

MAX_STRUCTURES = 200_000
MAX_FIELDS = 200
MAX_FIELD = 200
"""Characters kept of a field's value."""

_OPEN = re.compile(
    r"\s{0,20}(?:static )?(?:const )?(LL_\w{1,60}(?:Init|DeInit|Deinit)TypeDef|LL_LIB_TensorShape_TypeDef|\w{1,60}_sw_info) "
    r"(\w{1,300})(?:\[\d{0,6}\])? = \{"
)
_FIELD = re.compile(r"\s{0,20}\.([\w.]{1,80}) = (.{1,400}?),?")
_WIRE = re.compile(
    r"ATONN_DSTPORT\(([\w, ]{1,60})\).{0,120}?ATONN_SRCPORT\(([\w, ]{1,60})\)(?:.{0,300}?/\* (.{1,300}?) \*/)?"
)
_CALL = re.compile(r"\s{0,20}(ll_sw_forward_\w{1,80}|LL_ATON_LIB_[A-Z]\w{1,80})\(([^;]{0,400})")
_NO_CALL = frozenset({"LL_ATON_LIB_UNUSED"})
_OF_NODE = re.compile(r"(.{1,280}?)(?:_dma_init_(?:in|out)_\d{1,6}_\d{1,9}|_init\d{1,9})")
_POOL = re.compile(r"\s{0,20}/\* (\S{1,200}) (->|<-) (\d{1,18}) \*/")


@dataclass
class Structures:
    """Collects them line by line; `epoch` and `node` are those the file is at."""

    listed: list[Structure] = field(default_factory=list)
    moved: dict[int, dict[str, list[int | None]]] = field(default_factory=dict)
    """Epoch -> pool -> bytes read and written."""
    twice: bool = False
    """Some epoch's traffic with a pool is said more than once; the first counts."""
    _open: tuple[str, str, int, str, list[tuple[str, str]]] | None = None

    def line(self, line: str, epoch: int, node: str) -> None:
        """Take a line that may open, continue, close or call."""
        if self._open is not None:
            self._inside(line)
        elif " = {" in line and (start := _OPEN.match(line)) is not None:
            self._open = (start[1], start[2], epoch, node, [])
        elif "ll_sw_forward_" in line or "LL_ATON_LIB_" in line:
            call = _CALL.match(line)
            if call is not None and call[1] not in _NO_CALL:
                self._add(
                    Structure(
                        "call", call[1], epoch, node, (("arguments", call[2].rstrip(") ")[:MAX_FIELD]),)
                    )
                )
        elif "/* " in line and (pool := _POOL.fullmatch(line)) is not None:
            sides = self.moved.setdefault(epoch, {}).setdefault(pool[1], [None, None])
            side = 0 if pool[2] == "->" else 1
            self.twice |= sides[side] is not None
            sides[side] = int(pool[3]) if sides[side] is None else sides[side]

    def _inside(self, line: str) -> None:
        assert self._open is not None
        kind, name, epoch, node, fields = self._open
        text = line.strip()
        if text.startswith(("};", "}};")):
            self._open = None
            of = _OF_NODE.fullmatch(name)
            self._add(Structure(kind, name, epoch, of[1] if of is not None else node, tuple(fields)))
        elif len(fields) >= MAX_FIELDS:
            pass
        elif (setting := _FIELD.fullmatch(line)) is not None:
            fields.append((setting[1], setting[2][:MAX_FIELD]))
        elif "ATONN_DSTPORT" in line and (wire := _WIRE.search(line[:1500])) is not None:
            fields.append((wire[1], wire[2]))

    def _add(self, structure: Structure) -> None:
        if len(self.listed) < MAX_STRUCTURES:
            self.listed.append(structure)

    def traffic(self, epoch: int) -> tuple[Traffic, ...]:
        """What an epoch moves."""
        moved = self.moved.get(epoch, {})
        return tuple(Traffic(pool, reads, writes) for pool, (reads, writes) in moved.items())
