"""The compiler's `--d-lower` log: which lowerer took each operator, and what the others said against it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from npuscope.neural_art.artefacts.text.figures import integer
from npuscope.neural_art.artefacts.values import Attempt, Content, Lowering

KIND = "lowering_log"
MAX_NODES = 100_000

_ATTEMPT = re.compile(r".{0,40}?\bLowering (\S{1,300}) id=(\d{1,9}) with Lowerer (\S.{0,80})")
_REFUSED = re.compile(
    r".{0,40}?\b(\S{1,40}) lowering not done for (\w{1,60}) node=(\S{1,300}) because (\S.{0,300})"
)
_OTHER_REFUSAL = re.compile(
    r".{0,40}?\b(\S{1,40}) lowering not done for (?:\w{1,60} )?(?:node=)?(\S{1,300})(.{0,300})"
)
_KIND = re.compile(r"[\s>]*Lowering (\w{1,60}) \.{2,4}")
_SIZE = re.compile(r"[\s>]*tensor (w|h|ch|chin): (\d{1,9})")
_FIELDS = {"w": "width", "h": "height", "ch": "ch", "chin": "chin"}


def mentions(line: str) -> bool:
    """A line this log is made of."""
    return "with Lowerer" in line or "lowering not done" in line


def read_lowering(lines: Iterable[str]) -> Content:
    """One Lowering for each node, in the order of the log."""
    lowerings: dict[str, Lowering] = {}
    not_understood: dict[str, None] = {}
    current = ""
    for line in lines:
        if "Lowerer" in line and (attempt := _ATTEMPT.match(line)) is not None:
            current = attempt[1]
            if current not in lowerings and len(lowerings) >= MAX_NODES:
                not_understood.setdefault(f"more than {MAX_NODES:,} nodes; the rest was left out")
                break
            before = lowerings.get(current, Lowering(current, id=integer(attempt[2])))
            lowerings[current] = replace(
                before, attempts=(*before.attempts[-20:], Attempt(attempt[3].strip()))
            )
        elif "lowering not done" in line:
            _refuse(line, lowerings, not_understood)
        elif (kind := _KIND.match(line)) is not None:
            if current in lowerings:
                lowerings[current] = replace(lowerings[current], kind=kind[1])
        elif "tensor " in line and (size := _SIZE.match(line)) is not None and current in lowerings:
            field = _FIELDS[size[1]]
            if getattr(lowerings[current], field) is None:
                lowerings[current] = replace(lowerings[current], **{field: int(size[2])})  # type: ignore[arg-type]
    return Content(KIND, lowerings=tuple(lowerings.values()), not_understood=tuple(not_understood))


def _refuse(line: str, lowerings: dict[str, Lowering], not_understood: dict[str, None]) -> None:
    """Note a reason on the node's last attempt; a log cut short may hold the reason alone."""
    match = _REFUSED.match(line)
    if match is not None:
        lowerer, kind, node, reason = match[1], match[2], match[3], match[4].strip()
    elif (other := _OTHER_REFUSAL.match(line)) is not None:
        lowerer, kind, node, reason = other[1], "", other[2], other[3].strip() or "lowering not done"
        not_understood.setdefault("a refusal in another form than 'because ...'")
    else:
        return
    before = lowerings.get(node, Lowering(node, kind))
    attempts = before.attempts
    if attempts and not attempts[-1].refused and attempts[-1].lowerer.startswith(lowerer):
        attempts = (*attempts[:-1], Attempt(attempts[-1].lowerer, reason))
    else:
        attempts = (*attempts, Attempt(lowerer, reason))
    lowerings[node] = replace(before, kind=before.kind or kind, attempts=attempts)
