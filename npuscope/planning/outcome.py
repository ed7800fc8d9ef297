"""What an edit makes of the ledger: the whole model is analysed with it."""

from __future__ import annotations

from typing import NamedTuple

from npuscope.edits.edit import Refusal
from npuscope.planning.proposals import Preview
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse


class Outcome(NamedTuple):
    """What stands in the ledger once an edit is made: the layers put in place, with their part of epochs, and the whole model."""

    milliseconds: float
    cycles: int | None
    """With memory; None where one of the layers is on the CPU, 0 where they run beside layers that take longer."""
    model_before: float
    model: float
    """Milliseconds of the whole model."""

    @property
    def change(self) -> float:
        """Milliseconds that the model takes more; negative where it takes less."""
        return self.model - self.model_before


def outcome(session: Session, before: Snapshot, edit: Preview) -> Outcome | None:
    """What an edit makes of a model that was analysed as `before`; None where it is refused. Raises ModelError."""
    edited = session.edit(edit.edit)
    if isinstance(edited, Refusal):
        return None
    after = analyse(edited, before)
    lines = [after.by_name[name].line for name in edit.added if name in after.by_name]
    cycles = [line.cycles for line in lines if line.cycles is not None]
    return Outcome(
        sum(line.milliseconds for line in lines),
        sum(cycles) if cycles and len(cycles) == len(lines) else None,
        before.summary.milliseconds,
        after.summary.milliseconds,
    )
