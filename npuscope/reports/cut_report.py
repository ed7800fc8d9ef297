"""A cut as JSON (the contract "npuscope.cut/1") and as text: times before and after, and what the CPU has to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from npuscope.edits.edit import Edit
from npuscope.edits.registry import words_of
from npuscope.machine.machine import Target
from npuscope.model.layers import Layer, Operand, is_qdq
from npuscope.model.names import printable
from npuscope.npu.figures import plural
from npuscope.npu.times import in_ms, saving_words, shown_sum, table_ms
from npuscope.numbers.verify_models import Verification, output_quant
from npuscope.planning.cut import Cut, CutOffer, CutTimes, cpu_milliseconds
from npuscope.reports.json_report import finite
from npuscope.reports.short_names import short_names

SCHEMA = "npuscope.cut/1"

NAME_WIDTH = 40
"""Characters of a name in the list of what the CPU computes."""


def cut_json(made: Cut, times: CutTimes, checked: Verification | None, written: list[str]) -> dict[str, Any]:
    """The object `cut --json` prints."""
    return {
        "schema": SCHEMA,
        "tensors": list(made.tensors),
        "head": {"outputs": list(made.head.graph.outputs), "ms": finite(times.head)},
        "tail": {
            "inputs": list(made.tail.graph.inputs),
            "outputs": list(made.tail.graph.outputs),
            "ms": _finite(times.tail),
            "layers": [
                {
                    "name": layer.name,
                    "kind": layer.kind,
                    "ms": _finite(cpu_milliseconds(layer, made.tail.target)),
                }
                for layer in made.tail.layers.layers
            ],
        },
        "ms_before": finite(times.before),
        "ms_after": _finite(times.after),
        "ms_saved": _finite(times.saved),
        "verified": None if checked is None else checked.to_json(),
        "written": written,
    }


def offer_json(offer: CutOffer) -> dict[str, Any]:
    """A cut that a plan proposes; what it saves is against the model with all steps made."""
    return {
        "tensors": list(offer.tensors),
        "ms_before": finite(offer.times.before),
        "ms_head": finite(offer.times.head),
        "ms_tail": _finite(offer.times.tail),
        "ms_saved": _finite(offer.times.saved),
        "left_out": list(offer.left_out),
    }


def offer_text(offer: CutOffer, edits: Sequence[Edit]) -> str:
    """A proposal in a few lines; `edits` are the steps of the plan."""
    count = len(offer.tensors)
    ends = f"{count} tensors" if count > 1 else f"{printable(offer.tensors[0])}"
    kept = [edit for index, edit in enumerate(edits) if index not in offer.left_out]
    without = ""
    if offer.left_out:
        numbers = " and ".join(str(index + 1) for index in offer.left_out)
        plural = len(offer.left_out) > 1
        without = f", without step{'s' if plural else ''} {numbers}, which help{'' if plural else 's'} only what the CPU then computes"
    lines = [
        f"Cut here: end the model at {ends} and leave what follows to the CPU{without}: {times_text(offer.times)}."
    ]
    if kept and offer.left_out:
        lines.append(
            f"  'npuscope fix MODEL {' '.join(map(words_of, kept))} -o OUT' makes the other steps, then"
        )
    first = "after 'plan --apply -o OUT', " if kept and not offer.left_out else ""
    lines.append(
        f"  {first}'npuscope cut {'OUT' if kept else 'MODEL'} -o HEAD.onnx --tail TAIL.onnx' writes both."
    )
    return "\n".join(lines)


def times_text(times: CutTimes) -> str:
    """'17.97 ms + 5.14 ms on the Cortex-M55 = 23.11 ms instead of 23.39 ms, saves 0.28 ms'."""
    if times.tail is None or times.after is None or times.saved is None:
        return f"{in_ms(times.head)} ms instead of {in_ms(times.before)} ms, and a tail of unknown sizes"
    (head, tail), after, before, _ = shown_sum(times.before, times.head, times.tail)
    return (
        f"{head} ms + {tail} ms on the Cortex-M55 (estimated) = {after} ms instead of {before} ms, "
        f"{saved_text(times)}"
    )


def saved_text(times: CutTimes) -> str:
    """'saves 0.28 ms': the difference of the two times as they are written."""
    if times.tail is None:
        return ""
    _, after, _, saved = shown_sum(times.before, times.head, times.tail)
    return saving_words(saved, len(after.partition(".")[2]))


def cut_text(made: Cut, times: CutTimes, checked: Verification | None) -> str:
    """What the two models are, what they take, and what the code of the CPU has to do."""
    head, tail = made.head, made.tail
    # A tail may have layers of its own: a QuantizeLinear whose layer the cut took apart.
    layers = (*made.session.layers.layers, *tail.layers.layers)
    named = short_names(dict.fromkeys(layer.name for layer in layers), NAME_WIDTH)
    lines = [
        f"head  {plural(len(head.layers.layers), 'layer')}, ends at {_names(head.graph.outputs)}",
        f"tail  {plural(len(tail.layers.layers), 'layer')}, begins at {_names(tail.graph.inputs)}",
        f"time  {times_text(times)}",
        *(() if checked is None else (f"check {_check_words(checked)}",)),
        "",
        "The CPU reads",
        *(f"  {_tensor(made, name)}" for name in tail.graph.inputs),
        "computes",
        *(
            f"  {named[layer.name]:<40}  {printable(layer.kind):<16}{_time(layer, tail.target)}"
            for layer in tail.layers.layers
        ),
        "and writes",
        *(f"  {_tensor(made, name)}" for name in tail.graph.outputs),
    ]
    return "\n".join(lines)


def _check_words(checked: Verification) -> str:
    verdict = "bit-exact" if checked.bit_exact else f"{checked.sqnr_db_min:.1f} dB at the worst output"
    return f"head and tail in sequence on {plural(checked.samples, 'sample')}: {verdict}"


def _tensor(made: Cut, name: str) -> str:
    graph = made.session.graph
    type_ = graph.type(name)
    shape = "x".join(str(size) if size else "?" for size in type_.shape or ()) or "a number"
    quant = _scale(made, name)
    return f"{printable(name)}: {type_.dtype} {shape}{quant}"


def _scale(made: Cut, name: str) -> str:
    operands: list[Operand] = [
        o for layer in made.tail.layers.layers for o in (*layer.inputs, *layer.outputs)
    ]
    quant = next((o.quant for o in operands if o.tensor == name and o.quant is not None), None)
    quant = quant or output_quant(made.session.graph, name)
    if quant is None or quant.per_channel:
        return ""
    return f", scale {float(quant.scale[0]):.6g}, zero point {quant.zero}"


MOST_NAMED = 2
"""Tensors at a cut that are named at once; all of them are listed with what they hold."""


def _names(names: tuple[str, ...]) -> str:
    if len(names) > MOST_NAMED:
        return f"{len(names)} tensors, listed below"
    return ", ".join(map(printable, names))


def _time(layer: Layer, target: Target) -> str:
    if is_qdq(layer.core):
        return "  (the application does already)"
    value = cpu_milliseconds(layer, target)
    return "  time unknown" if value is None else f"{table_ms(value):>8} ms"


def _finite(value: float | None) -> float | None:
    return None if value is None else finite(value)
