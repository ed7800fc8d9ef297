"""The readable report of a verification: outputs, the places that edits changed, and what is to blame."""

from __future__ import annotations

from npuscope.model.brief import fitted
from npuscope.model.names import printable
from npuscope.npu.figures import plural, thousands
from npuscope.numbers.blame import Culprit, Parting
from npuscope.numbers.verify_models import Verification
from npuscope.numbers.verify_regions import LocalVerification, RegionDifference
from npuscope.services.loss import Loss

NAME_WIDTH = 40

PLACES = 50
"""Changed places that are listed."""


def verification_text(verification: Verification) -> str:
    """Whether two models agree, and by how much each output differs."""
    verdict = "bit-exact" if verification.bit_exact else "the outputs differ"
    drawn = f"random, seed {verification.seed}" if verification.seed is not None else "from the file given"
    lines = [f"{verdict} over {plural(verification.samples, 'sample')} ({drawn})", ""]
    names = fitted((output.name for output in verification.outputs), NAME_WIDTH)
    width = max(map(len, names), default=0)
    lines.append(f"{'output':{width}}  {'max steps':>9}  {'mean':>8}  {'SQNR dB':>8}  differing")
    for name, output in zip(names, verification.outputs, strict=True):
        ratio = f"{output.sqnr_db:.1f}" if output.sqnr_db is not None else "exact"
        lines.append(
            f"{name:{width}}  {output.max_steps:9.3g}  {output.mean_steps:8.3g}  {ratio:>8}  "
            f"{thousands(output.differing)} of {thousands(output.elements)}"
        )
    return "\n".join(lines) + "\n"


def places_text(verification: LocalVerification) -> str:
    """By how much each place that edits changed differs, the rest of the model left as it was."""
    places = [region for region in verification.regions if region.worst is not None and not region.bit_exact]
    if not places:
        return ""
    drawn = "on what the model computes there" if verification.drawn == "model" else "on random values"
    lines = ["", f"Each edited spot on its own, {drawn}:"]
    names = fitted(map(_label, places), NAME_WIDTH)
    width = max(map(len, names))
    lines.append(f"{'place':{width}}  {'max steps':>9}  {'mean':>8}  {'SQNR dB':>8}")
    for name, region in list(zip(names, places, strict=True))[:PLACES]:
        worst = region.worst
        assert worst is not None
        lines.append(
            f"{name:{width}}  {worst.max_steps:9.3g}  {worst.mean_steps:8.3g}  {worst.sqnr_db or 0:8.1f}"
        )
    if len(places) > PLACES:
        lines.append(f"and {len(places) - PLACES} more")
    return "\n".join(lines) + "\n"


def loss_text(loss: Loss) -> str:
    """What every output keeps of the numbers there were before, on what samples, and whether that is enough."""
    bound = f"Whether they keep {loss.least:g} dB (--least-db) is not known.\n" if loss.unproved else ""
    if loss.checked is None:
        return f"What the edits do to the outputs was not measured: {loss.unknown}\n{bound}"
    whole = loss.whole_model
    if whole is None:
        places = places_text(loss.checked).lstrip()
        large = "The model is too large to be run in passing; 'npuscope verify' compares its outputs."
        return f"{large}\n{bound}{places}"
    own = loss.user_supplied
    drawn = plural(whole.samples, "sample" if own else "random sample") + " from the files given" * own
    if whole.bit_exact:
        sentences = [f"Bit-exact over {drawn}."]
    else:
        sentences = [f"Every output keeps at least {loss.decibels or 0:.1f} dB over {drawn}."]
    if loss.too_much:
        sentences.append(f"That is less than {loss.least:g} dB (--least-db).")
    if not loss.user_supplied:
        sentences.append("With --inputs, scales and dB are those of your own samples.")
    return " ".join(sentences) + "\n"


def _label(region: RegionDifference) -> str:
    """The layer of a place, or the tensor whose quantization alone was changed."""
    if region.layers:
        return region.layers[0]
    return region.worst.name if region.worst is not None else "?"


def blame_text(culprit: Culprit | None, parting: Parting | None) -> str:
    """The first edit that changes an output, and the first layer that gives other numbers."""
    lines = []
    if culprit is not None:
        after = culprit.after.sqnr_db_min or 0
        lines.append(
            f"first edit   {culprit.index + 1}: {printable(culprit.edit.describe())}: {after:.1f} dB with it"
        )
    if parting is not None:
        ratio = parting.difference.sqnr_db or 0
        lines.append(
            f"first layer  {printable(parting.layer)}: {ratio:.1f} dB ({parting.compared} layers compared)"
        )
    else:
        lines.append("first layer  none that both models have")
    return "\n".join(lines) + "\n"
