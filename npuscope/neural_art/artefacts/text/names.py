"""The compiler's names: which operator of the front end a lowered node belongs to, and what part of it it is.

A front end name is '<Kind>_<number>' (`Conv2D_23`); lowering appends words and running numbers to it.
"""

from __future__ import annotations

import re

from npuscope.record import dataclass

_NAME = re.compile(r"([A-Z][A-Za-z0-9]{0,40}?)_(\d{1,9})(?!\d)(.{0,300})", re.DOTALL)
_INSERTED = re.compile(r"([A-Za-z][A-Za-z0-9]{0,60})_inserted_id(\d{1,9})")
_LEAD = re.compile(
    r"(?:_(?:subm|conv|gemm|expanded_conv)_\d{1,6})*(?:_\d{1,4}_conv_\d{1,6})?(?:_conv_\d{1,6})?", re.ASCII
)
_PARTS = (
    ("ca_pipe", "a CA in series"),
    ("mul_scale", "requantization"),
    ("off_bias", "offset and bias"),
    ("suboff", "removal of the zero point"),
    ("zero_off", "removal of the zero point"),
    ("mul_sub", "removal of the zero point"),
    ("transp", "transpose of a Gemm operand"),
    ("squeeze", "reshape of a Gemm result"),
    ("reshape", "reshape of a Gemm operand"),
    ("conv_identity", "copy"),
)
KINDS = {
    "Conv2D": "Conv",
    "Gemm": "Gemm",
    "MatMul": "MatMul",
    "ConvTranspose": "ConvTranspose",
    "Dequantize": "DequantizeLinear",
    "Quantize": "QuantizeLinear",
    "PReLU": "PRelu",
}
"""Word of a front end name -> ONNX operator, where they differ."""


@dataclass(frozen=True, slots=True)
class Name:
    """A lowered node's name, taken apart.

    1. `base` is the front end's node, `kind` its ONNX operator, `number` its place in the front end's order.
    2. `lead` marks the node that does the operator's own work; `part` says what another one does.
    3. An inserted node (`Identity_inserted_id445`) has no base: no operator of the model stands behind it.
    """

    text: str
    base: str = ""
    kind: str = ""
    number: int = -1
    lead: bool = False
    part: str = ""
    inserted: bool = False


def parse(text: str) -> Name:
    """The parts of a name; a name of another form is its own base."""
    inserted = _INSERTED.match(text)
    if inserted is not None:
        return Name(text, kind=inserted[1], part="inserted", inserted=True)
    match = _NAME.fullmatch(text)
    if match is None:
        return Name(text, base=text, lead=True)
    word, number, rest = match[1], int(match[2]), match[3]
    kind = KINDS.get(word, word)
    base = f"{word}_{match[2]}"
    part = next((meaning for key, meaning in _PARTS if key in rest), "")
    lead = not part and _LEAD.fullmatch(rest) is not None
    return Name(text, base, kind, number, lead, part or ("" if lead else "other"))
