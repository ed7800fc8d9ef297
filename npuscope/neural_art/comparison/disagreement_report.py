"""What a user can attach to a bug report: the layers we got wrong, as numbers. No names, no weights, no paths."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from npuscope import __version__
from npuscope.model.convolution import convolution
from npuscope.model.errors import ModelError
from npuscope.model.layers import Layer, Operand
from npuscope.neural_art.comparison.values import Comparison, Figures, LayerComparison
from npuscope.snapshot import Snapshot

SCHEMA = "npuscope.disagreements/1"
_VERSION = re.compile(r"[\d.]{1,20}(?:-\d{1,8})?")
_WORD = re.compile(r"[a-z0-9]{1,8}")
"""What an artefact may say in words without giving anything away."""


def disagreements(comparison: Comparison, snapshot: Snapshot, salt: bytes | None = None) -> dict[str, Any]:
    """Each layer on which prediction and tools differ: operator, shapes, zero points, both sides' figures.

    Names are hashed with a salt that is thrown away, so that nobody can guess them back.
    """
    key = os.urandom(16) if salt is None else salt
    return {
        "schema": SCHEMA,
        "npuscope": __version__,
        "toolchain": comparison.toolchain,
        "toolchain_stated": comparison.toolchain_stated,
        "artefacts": [
            {
                "kind": artefact.kind,
                "toolchain": artefact.toolchain if _VERSION.fullmatch(artefact.toolchain) else "",
                "compiler": artefact.compiler if _VERSION.fullmatch(artefact.compiler) else "",
            }
            for artefact in comparison.artefacts
        ],
        "layers_compared": sum(layer.agrees is not None for layer in comparison.layers),
        "layers": [
            _layer(layer, snapshot.by_name[layer.name].layer, key) for layer in comparison.disagreements
        ],
    }


def write(comparison: Comparison, snapshot: Snapshot | None, path: str | os.PathLike[str]) -> None:
    """Write the file. Raises ModelError without a model, or where something lies at the path."""
    place = Path(path)
    if snapshot is None:
        raise ModelError(f"{place}: not written; without the model there are no disagreements to explain")
    text = json.dumps(disagreements(comparison, snapshot), indent=2, allow_nan=False) + "\n"
    try:
        with place.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ModelError(f"{place}: exists; choose another name") from None
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{place}: cannot be written ({getattr(error, 'strerror', None) or error})"
        ) from None


def _layer(compared: LayerComparison, layer: Layer, key: bytes) -> dict[str, Any]:
    conv = convolution(layer)
    return {
        "name": hashlib.sha256(key + compared.name.encode("utf-8", "surrogatepass")).hexdigest()[:12],
        "op": layer.op if layer.core.standard else "custom",
        "kind": layer.kind if layer.core.standard or layer.qoperator else "custom",
        "inputs": [_operand(operand) for operand in layer.inputs],
        "outputs": [_operand(operand) for operand in layer.outputs],
        "weight": None if layer.weight is None else _operand(layer.weight),
        "fused": list(layer.fused),
        "convolution": None
        if conv is None
        else {
            "in_channels": conv.in_channels,
            "out_channels": conv.out_channels,
            "group": conv.group,
            "kernel": list(conv.kernel),
            "stride": list(conv.stride),
            "dilation": list(conv.dilation),
            "pads": list(conv.pads),
            "input_size": list(conv.input_size),
            "output_size": list(conv.output_size),
        },
        "differences": [d.what for d in compared.differences],
        "predicted": figures(compared.predicted),
        "actual": None if compared.actual is None else figures(compared.actual),
        "match": None
        if compared.evidence is None
        else {"by": compared.evidence.by, "confidence": compared.evidence.confidence},
    }


def figures(values: Figures) -> dict[str, Any]:
    """The figures of one side, without its words."""
    return {
        "placement": values.placement or None,
        "compute_cycles": values.compute_cycles,
        "cycles": values.cycles,
        "simd": values.simd if _WORD.fullmatch(values.simd) else None,
        "deep1x1": values.deep1x1,
        "dss2": values.dss2,
        "accelerators": values.accelerators,
        "choked_ports": [port for port in values.choked_ports if _WORD.fullmatch(port)],
    }


def _operand(operand: Operand) -> dict[str, Any]:
    """Type, shape and zero point of a tensor. A free size is null: its name would tell of the model."""
    shape = operand.constant.shape if operand.constant is not None else operand.type.shape
    quant = operand.quant
    zero = None
    if quant is not None:
        zero = quant.zero if not quant.zero_point.any() or quant.zero_point.size == 1 else "per channel"
    return {
        "dtype": operand.type.dtype,
        "shape": None if shape is None else [size if isinstance(size, int) else None for size in shape],
        "zero_point": zero,
        "constant": operand.constant is not None,
    }
