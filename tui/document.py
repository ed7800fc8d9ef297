"""The document: which model is open with which edits, its analysis, and what it is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from npuscope.machine.machine import Target
from npuscope.model.as_int8.symbolic import mostly_float
from npuscope.services.analyses import Analyses
from npuscope.session import Session
from npuscope.snapshot import Snapshot
from npuscope.widgets.panes.empty import EMPTY
from npuscope.widgets.panes.selection import Change

if TYPE_CHECKING:
    from npuscope.model.graph import Graph
    from npuscope.neural_art.artefacts.artefact import Artefact
    from npuscope.neural_art.comparison.values import Comparison
    from npuscope.numbers.verify_models import Verification
    from npuscope.services.builds import BuildOptions


class Document:
    """Changed by the controllers alone; all that is shown is derived from it.

    1. `session` is replaced by each edit. `snapshot` is the newest analysis, which lags behind while one runs.
    2. Where a board measured the model, the times of the snapshot are those measured.
    """

    def __init__(self, path: str | None, judged_for: Target) -> None:
        self.path = path
        """What was opened last, whether it could be or not."""
        self.target = judged_for
        """What the next model is judged for."""
        self.asked: BuildOptions | None = None
        """What the user said of the build: artefacts state the rest. None where the target stays as it is."""
        self.stale = ""
        """What became of the file that was opened, '' where it is as it was."""
        self.inputs: str | None = None
        """Where samples lie that scales are calibrated and models compared on; random ones without."""
        self.session: Session | None = None
        self.snapshot: Snapshot = EMPTY
        self.change: Change | None = None
        """What the last edit, or its undoing, did."""
        self.to_quantize = False
        """Most of it is float."""
        self.assumption = ""
        """Of a model judged as if quantized: what zero points will decide."""
        self.own_decibels: Mapping[str, float] = {}
        """Layers' own SQNR against the float model, where that was measured for the session as it is."""
        self.verified: tuple[Graph, Verification] | None = None
        """An edited model, and what its outputs kept of the original's when it was last run."""
        self.analyses = Analyses()
        """Of the states the model was in last."""
        self.marks: dict[str, str] = {}
        """Letters that stand for layers of the model, by name."""
        self.artefacts: tuple[Artefact, ...] = ()
        self.comparison: Comparison | None = None
        self.compared_for: Target | None = None
        """The target of the prediction that the artefacts were compared with."""

    # -- what is known

    @property
    def has_unexported(self) -> bool:
        """Whether edits would be lost."""
        return self.session is not None and self.session.unexported

    @property
    def differing(self) -> frozenset[str]:
        """Layers with which the tools did otherwise than predicted."""
        compared = self.comparison
        return frozenset(layer.name for layer in compared.disagreements) if compared else frozenset()

    @property
    def measured_milliseconds(self) -> float | None:
        """The time that a board took, where that is known."""
        return self.comparison.totals.milliseconds if self.comparison is not None else None

    # -- changes

    def open(self, session: Session, snapshot: Snapshot) -> None:
        """Go on with a model that was read; the same file again keeps its marks."""
        if self.session is None or self.session.source.path != session.source.path:
            self.marks = {}
        self.session, self.change, self.stale = session, None, ""
        self.own_decibels, self.assumption = {}, ""
        self.to_quantize = mostly_float(session.graph)
        self.analyses = Analyses()
        self.analyses.keep(session, snapshot)
        self.show(snapshot)

    def analysed(self, snapshot: Snapshot, text: str) -> None:
        """Go on with the analysis of the session; `text` says what changed it, '' where nothing did."""
        self.change = Change.between(text, self.snapshot, snapshot) if text else None
        self.assumption = ""
        if snapshot.graph is not self.snapshot.graph:
            self.own_decibels = {}
        if self.session is not None:
            self.analyses.keep(self.session, snapshot)
        self.show(snapshot)

    def show(self, snapshot: Snapshot) -> None:
        """Take over an analysis; measured times take the place of predicted ones."""
        if self.comparison is not None and snapshot.layers:
            from npuscope.neural_art.comparison.times import with_times

            snapshot = with_times(snapshot, self.comparison)
        if self.own_decibels:
            snapshot = replace(snapshot, own_decibels=self.own_decibels)
        self.snapshot = snapshot

    def measured_accuracy(self, own_decibels: Mapping[str, float]) -> None:
        """Take over what layers lose of themselves."""
        self.own_decibels = own_decibels
        self.show(self.snapshot)

    def add_artefacts(self, artefacts: Sequence[Artefact]) -> None:
        """More of what the tools wrote; a file that was read before is taken as it is now."""
        again = {artefact.path for artefact in artefacts}
        self.artefacts = (*(a for a in self.artefacts if a.path not in again), *artefacts)

    def compared(self, comparison: Comparison) -> None:
        """Take over what became of artefacts and model."""
        self.comparison = comparison
        self.show(self.snapshot)

    def forget_artefacts(self) -> None:
        """They were of another model."""
        self.artefacts, self.comparison, self.compared_for = (), None, None
