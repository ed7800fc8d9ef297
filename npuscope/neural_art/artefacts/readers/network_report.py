"""network_report.json: what `analyze` and `generate` keep of a network, without its epochs."""

from __future__ import annotations

from typing import Any

from npuscope.neural_art.artefacts.readers.c_info_graph import printed
from npuscope.neural_art.artefacts.text.documents import integer_of, listing, mapping, text_of
from npuscope.neural_art.artefacts.text.figures import digest
from npuscope.neural_art.artefacts.values import Content, LayerRow, Property, Tensor

KIND = "network_report"
MAX_ROWS = 100_000

_PROPERTIES = ("date_time", "model_name", "model_type", "model_n_params", "model_size", "ram_size", "rom_size",
         "rom_n_macc", "exec_cmd", "error")  # fmt: skip


def is_network_report(document: dict[str, Any]) -> bool:
    """The document itself."""
    return "report_version" in document and "cli_parameters" in document


def read_network_report(document: dict[str, Any]) -> Content:
    """Version, command, inputs, outputs and the front end's layers."""
    properties = [Property("header", "cli_parameters", text_of(document.get("cli_parameters"))[:4000])]
    properties += [Property("summary", name, printed(document.get(name))) for name in _PROPERTIES]
    rows = []
    for entry in map(mapping, listing(document.get("layers"))[:MAX_ROWS]):
        number = integer_of(entry.get("id"))
        if number is not None:
            rows.append(LayerRow(number, text_of(entry.get("name")), text_of(entry.get("type"))))
    signature = digest(text_of(document.get("hash")))
    return Content(
        KIND,
        toolchain=text_of(document.get("cli_version_str")).split(" ")[0],
        inputs=_tensors(document.get("rom_inputs")),
        outputs=_tensors(document.get("rom_outputs")),
        signatures=(signature,) if signature else (),
        rows=tuple(rows),
        properties=tuple(one for one in properties if one.text),
    )


_TYPES = {"u8": "uint8", "s8": "int8", "float": "float32"}


def _tensors(entries: object) -> tuple[Tensor, ...]:
    return tuple(
        Tensor(
            text_of(entry.get("name")),
            dtype=_TYPES.get(text_of(entry.get("c_type")), text_of(entry.get("c_type"))),
        )
        for entry in map(mapping, listing(entries)[:1000])
    )
