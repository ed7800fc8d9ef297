"""The edits worth trying on a layer, from every source that proposes some."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from npuscope.edits.edit import DAMAGED, Edit, Refusal
from npuscope.edits.kinds.pad_channels import PadChannels, PadOutputs
from npuscope.edits.toolkit.weighted import weighted_layer
from npuscope.model.budget import OutOfTimeError
from npuscope.model.convolution import convolution
from npuscope.neural_art.mapping.pieces import waiting_cycles
from npuscope.planning.layer_tuning import propose_recentring, tuned_channels
from npuscope.planning.placement_fixes import propose_fixes
from npuscope.planning.proposals import Preview, Wanted, any_edit, preview, propose_splits
from npuscope.planning.rewrites import propose_forms, with_surroundings
from npuscope.session import Session
from npuscope.snapshot import Snapshot

Propose = Callable[[Session, Snapshot, str, Wanted], Iterable[Preview]]
"""(session, its analysis, name of a layer, which edits are wanted) -> those of that layer with what each would bring, best first."""

MULTIPLES = (8, 16, 32)
"""Channels are padded to the next multiple of each: all have factors the tiling likes. Multiples of 8 are left, but
for the number that simulation finds best."""


def propose_padding(
    session: Session, snapshot: Snapshot, layer: str, wanted: Wanted = any_edit
) -> Iterator[Preview]:
    """Zeros for the input and the output channels of a layer, up to the next round numbers.

    A single input channel gets one beside it: on one position the compiler has no lowering for it alone.
    """
    weighted = weighted_layer(session.graph, session.layers, layer, qlinear=False)
    if isinstance(weighted, Refusal) or weighted.group > 1:
        return
    for channels, edit in ((weighted.in_channels, PadChannels), (weighted.out_channels, PadOutputs)):
        tuned = tuned_channels(weighted.layer, session.target, inputs=edit is PadChannels)
        round_numbers = [-(-channels // multiple) * multiple for multiple in MULTIPLES]
        near = [n for n in round_numbers if channels % MULTIPLES[0] and channels < n <= channels * 9 // 8]
        pair = 2 if channels == 1 and edit is PadChannels else None
        for count in dict.fromkeys(n for n in (tuned, *near, pair) if n is not None):
            padded: Edit = edit(layer, count)
            trial = preview(session, snapshot, padded) if wanted(padded) else None
            if isinstance(trial, Preview):
                beside = edit is PadChannels and _waits(session, snapshot, layer)
                yield (with_surroundings(session, snapshot, trial) if beside else None) or trial


def _waits(session: Session, snapshot: Snapshot, layer: str) -> bool:
    """A layer's accelerators wait for its features, which its own figures leave out (N906)."""
    report = snapshot.by_name.get(layer)
    conv = convolution(report.layer) if report is not None else None
    if conv is None or report is None or report.cost is None or report.cost.tiling is None:
        return False
    return waiting_cycles(report.cost.tiling, conv, session.target) > 0


def propose_cuts(
    session: Session, snapshot: Snapshot, layer: str, wanted: Wanted = any_edit
) -> Iterator[Preview]:
    """Splits; of a QLinear operator off the NPU only in QDQ form, where other edits may do better."""
    report = snapshot.by_name.get(layer)
    if report is not None and not (report.layer.qoperator and report.off_npu):
        yield from propose_splits(session, snapshot, layer, wanted)


SOURCES: tuple[Propose, ...] = (
    propose_fixes,
    propose_forms,
    propose_padding,
    propose_recentring,
    propose_cuts,
)
"""What the planner asks. A new family of edits is one more entry."""


def candidates(
    session: Session, snapshot: Snapshot, layer: str, wanted: Wanted = any_edit
) -> tuple[Preview, ...]:
    """Every proposed edit of a layer that is wanted, each once, in the order of the sources.

    A source that meets a contradiction in the layer proposes no more.
    """
    previews: dict[Edit, Preview] = {}
    for propose in SOURCES:
        try:
            for proposal in propose(session, snapshot, layer, wanted):
                previews.setdefault(proposal.edit, proposal)
        except OutOfTimeError:
            raise
        except DAMAGED:
            continue
    return tuple(previews.values())
