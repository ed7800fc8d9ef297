"""c_info.json: the compiler's schedule with its lowered nodes, estimates and memory pools.

Two variants are read: the one the compiler writes and the one merged into the tool's output. `graphs` may be missing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import field
from typing import Any

from npuscope.machine.toolchain import toolchain as toolchain_of
from npuscope.neural_art.artefacts.readers.c_info_graph import (
    Names,
    buffers,
    flows,
    inside,
    printed,
    sizes,
    spanning,
    traffic,
)
from npuscope.neural_art.artefacts.readers.options import of_command
from npuscope.neural_art.artefacts.text.documents import (
    count_of,
    integer_of,
    listing,
    mapping,
    number_of,
    parse,
    text_of,
)
from npuscope.neural_art.artefacts.text.figures import digest, integer
from npuscope.neural_art.artefacts.text.versions import known
from npuscope.neural_art.artefacts.values import (
    HW,
    HYBRID,
    SW,
    SW_FLOAT,
    SW_INT,
    Content,
    Node,
    Pool,
    Property,
    ReportedEpoch,
    Tensor,
    Totals,
    Traffic,
)
from npuscope.record import dataclass

KIND = "c_info"
MAX_NODES = 500_000

PLACEMENTS = {"NODE_HW": HW, "NODE_EC": HW, "NODE_SW": SW, "NODE_SW_HW": HYBRID, "NODE_HYBRID": HYBRID}
"""`mapping` -> where it runs. Up to 2.2 hybrid nodes are NODE_SW; NODE_NO_X is not executed."""

NODE_PLACEMENTS = PLACEMENTS | {"NODE_SW_INTEGER": SW_INT, "NODE_SW_FLOAT": SW_FLOAT, "NODE_SW_LL_HW": HYBRID}
"""The same for a lowered node, which may tell the two apart."""


NOT_A_STEP = frozenset({"Return", "Param", ""})
"""Kinds of lowered nodes that stand for no work."""


@dataclass
class _Parsed:
    epochs: list[ReportedEpoch] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    buffers: dict[int, dict[str, Any]] = field(default_factory=dict)
    estimates: dict[int, dict[str, Any]] = field(default_factory=dict)
    traffic: dict[int, tuple[Traffic, ...]] = field(default_factory=dict)
    names: Names = field(default_factory=dict)
    """Id of a node, an epoch's or a lowered one's -> its name."""
    numbers: list[int] = field(default_factory=list)
    """The numbers of all epochs, of those too that are not executed."""
    not_understood: dict[str, None] = field(default_factory=dict)


def recognises(head: str) -> bool:
    """The beginning of a c_info.json."""
    return '"json_schema_version"' in head and (
        '"buffers"' in head or '"environment"' in head or '"graphs"' in head
    )


def read_c_info(text: str, where: str = "c_info.json") -> Content:
    """Epochs with their lowered nodes and estimates, pools, inputs and outputs."""
    document = mapping(parse(text, where))
    parsed = _Parsed()
    for entry in map(mapping, listing(document.get("power_estimates"))):
        node = integer_of(entry.get("node_id"))
        if node is not None:
            parsed.estimates[node] = entry
    pool_names = _pool_names(document)
    parsed.traffic = traffic(document, pool_names)
    for buffer in map(mapping, listing(document.get("buffers"))):
        identity = integer_of(buffer.get("id"))
        if identity is not None:
            parsed.buffers[identity] = buffer
    graphs = [mapping(graph) for graph in listing(document.get("graphs"))]
    if not graphs:
        parsed.not_understood.setdefault("no 'graphs': a plain analysis writes no schedule")
    for graph in graphs[:1]:
        for entry in listing(graph.get("nodes")):
            _epoch(mapping(entry), parsed)
            if len(parsed.nodes) > MAX_NODES:
                parsed.not_understood.setdefault(f"more than {MAX_NODES:,} nodes; the rest was left out")
                break
    toolchain, compiler = _tools(document)
    borders = graphs[0] if graphs else {}
    version = known(toolchain)
    collapsed = (not version or toolchain_of(version).one_node_a_blob) and any(
        epoch.printed == "EC" for epoch in parsed.epochs
    )
    if collapsed:
        parsed.epochs = spanning(parsed.epochs, parsed.numbers)
        parsed.not_understood.setdefault(inside(parsed.epochs))
    cycles = [epoch.cycles for epoch in parsed.epochs if epoch.cycles is not None]
    compute = [epoch.compute_cycles for epoch in parsed.epochs if epoch.compute_cycles is not None]
    return Content(
        KIND,
        toolchain=toolchain,
        compiler=compiler,
        epochs=tuple(parsed.epochs),
        nodes=tuple(parsed.nodes),
        pools=tuple(_pools(document)),
        inputs=tuple(_borders(borders.get("original_inputs"))),
        outputs=tuple(_borders(borders.get("original_outputs"))),
        signatures=_signatures(document),
        options=_options(document),
        buffers=buffers(document, pool_names),
        flows=flows(borders, parsed.names, parsed.buffers),
        properties=_properties(document),
        totals=Totals(
            epochs=None if collapsed else len(parsed.epochs) or None,
            cycles=sum(cycles) if cycles else None,
            compute_cycles=sum(compute) if compute else None,
        ),
        not_understood=tuple(parsed.not_understood),
    )


def _epoch(entry: dict[str, Any], parsed: _Parsed, in_blob: bool = False) -> None:
    """An epoch; or a blob of the epoch controller, which lists its epochs from 3.0 on."""
    name = text_of(entry.get("name"))
    if not in_blob and name.startswith("_ec_blob"):
        for part in map(mapping, listing(entry.get("subgraph_nodes"))[:MAX_NODES]):
            _epoch(part, parsed, in_blob=True)
        return
    word, _, number = name.rpartition("_")
    if word != "epoch" or not number.isdecimal() or len(number) > 9:
        parsed.not_understood.setdefault(f"node {name[:60]!r} is not an epoch")
        return
    index = int(number)
    identity = integer_of(entry.get("id"))
    parsed.numbers.append(index)
    if identity is not None:
        parsed.names[identity] = name
    mapped = text_of(entry.get("mapping"))
    if mapped not in PLACEMENTS and mapped != "NODE_NO_X":
        parsed.not_understood.setdefault(f"mapping {mapped[:40]!r}")
    names: list[str] = []
    kinds: list[str] = []
    placements: set[str] = set()
    for part in map(mapping, listing(entry.get("subgraph_nodes"))):
        if (inner := integer_of(part.get("id"))) is not None:
            parsed.names[inner] = text_of(part.get("name"))
        node = _node(part, index, mapped, parsed)
        if node is None:
            continue
        parsed.nodes.append(node)
        names.append(node.name)
        kinds.append(node.kind)
        placements.add(node.placement)
    if not names or mapped == "NODE_NO_X":
        return
    placement = PLACEMENTS.get(mapped, "")
    estimate = parsed.estimates.get(-1 if identity is None else identity, {})
    power = [number_of(estimate.get(f"average_{what}_power_mw")) for what in ("acc", "memory")]
    parsed.epochs.append(
        ReportedEpoch(
            index,
            placement,
            kinds[0] if placement != HW else "",
            tuple(names),
            compute_cycles=_natural(estimate.get("compute_cycles")),
            cycles=_natural(estimate.get("max_cycles")),
            printed="EC" if mapped == "NODE_EC" else mapped.removeprefix("NODE_"),
            ops=_natural(estimate.get("ops")),
            macc=_natural(entry.get("macc")),
            milliwatts=None if power[0] is None or power[1] is None else (power[0], power[1]),
            traffic=parsed.traffic.get(-1 if identity is None else identity, ()),
        )
    )


def _node(entry: dict[str, Any], epoch: int, epoch_mapping: str, parsed: _Parsed) -> Node | None:
    """A lowered node. 2.x says its kind in `description` ('Node kind=Conv'), later versions in `type`."""
    name = text_of(entry.get("name"))
    kind = text_of(entry.get("type")) or text_of(entry.get("description")).removeprefix("Node kind=")
    if not name or kind in NOT_A_STEP:
        return None
    mapped = text_of(entry.get("mapping")) or epoch_mapping
    if mapped not in NODE_PLACEMENTS and mapped != "NODE_NO_X":
        parsed.not_understood.setdefault(f"mapping {mapped[:40]!r}")
    unit = text_of(mapping(entry.get("attributes")).get("HWUnit"))
    read = [parsed.buffers.get(integer_of(i) or 0, {}) for i in listing(entry.get("inputs"))]
    weights = next((buffer for buffer in read if buffer.get("is_param") is True), {})
    source = next((buffer for buffer in read if buffer.get("is_param") is False), {})
    written = [parsed.buffers.get(integer_of(i) or 0, {}) for i in listing(entry.get("outputs"))]
    result = written[0] if len(written) == 1 else {}
    has_weights = kind == "Conv" and len(listing(weights.get("shape"))) == 4
    return Node(
        name,
        kind,
        epoch=epoch,
        placement=NODE_PLACEMENTS.get(mapped, ""),
        unit=unit,
        input_shape=_shape(source),
        weight_shape=_shape(weights) if has_weights else None,
        output_shape=_shape(result),
        input_scale=_scale(source, alone=True),
        weight_scale=_scale(weights) if has_weights else None,
        output_scale=_scale(result, alone=True),
        attributes=_attributes(entry, unit),
    )


_OF_NODE = ("macc", "original_nodes", "sw_functions", "scratchs")


def _attributes(entry: dict[str, Any], unit: str) -> tuple[tuple[str, str], ...]:
    """What the node says beyond its place and its tensors; what is empty or 0 is left out."""
    own = [(key, entry.get(key)) for key in _OF_NODE]
    if unit or entry.get("attributes"):
        own += [(key, value) for key, value in mapping(entry.get("attributes")).items() if key != "HWUnit"]
    return tuple((key, printed(value)) for key, value in own if value not in (None, 0, "", [], {}))


def _shape(buffer: dict[str, Any]) -> tuple[int, ...] | None:
    return sizes(buffer.get("shape"))


def _scale(buffer: dict[str, Any], alone: bool = False) -> float | None:
    """The first scale of a buffer; with `alone` only where it is the only one."""
    scales = listing(mapping(buffer.get("intq")).get("scales"))
    return number_of(scales[0]) if scales and (len(scales) == 1 or not alone) else None


def _natural(value: object) -> int | None:
    number = number_of(value)
    return None if number is None or number < 0 else round(number)


def _zero(value: object) -> int | None:
    number = number_of(value)
    return None if number is None else round(number)


def _tools(document: dict[str, Any]) -> tuple[str, str]:
    """('2.2.0-20266', what the compiler calls itself)."""
    toolchain = compiler = ""
    for tool in map(mapping, listing(mapping(document.get("environment")).get("tools"))):
        name, version = text_of(tool.get("name")), text_of(tool.get("version"))
        if "edgeai" in name.lower().replace(".", "").replace(" ", ""):
            toolchain = version.split(" ")[0]
        elif "atonn" in name.lower():
            compiler = version[:200]
    return toolchain, compiler


def _signatures(document: dict[str, Any]) -> tuple[str, ...]:
    """MD5 of the files each tool read: the user's model and the intermediate one."""
    signatures = []
    for tool in map(mapping, listing(mapping(document.get("environment")).get("tools"))):
        for file in map(mapping, listing(mapping(tool.get("input_model")).get("model_files"))):
            signatures.append(digest(text_of(file.get("signature"))))
    return tuple(signature for signature in signatures if signature)


def _options(document: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """The compiler's command line."""
    for tool in map(mapping, listing(mapping(document.get("environment")).get("tools"))):
        if "atonn" in text_of(tool.get("name")).lower():
            return of_command(text_of(tool.get("arguments"))[:20_000])
    return ()


def _properties(document: dict[str, Any]) -> tuple[Property, ...]:
    """Where the file comes from, what it takes on the target, which blobs it has."""
    statements: list[Property] = []
    environment = mapping(document.get("environment"))
    for name in ("target", "network_signature", "test_name"):
        statements.append(Property("environment", name, text_of(environment.get(name))))
    models = [("generated model", mapping(environment.get("generated_model")))]
    for tool in map(mapping, listing(environment.get("tools"))):
        name = text_of(tool.get("name"))
        statements += [Property(name, word, text_of(tool.get(word))) for word in ("version", "arguments")]
        models.append((f"{name} input", mapping(tool.get("input_model"))))
    for section, model in models:
        statements += [
            Property(section, word, printed(model.get(word))) for word in ("name", "type", "size", "n_params")
        ]
        for file in map(mapping, listing(model.get("model_files"))[:100]):
            statements.append(Property(section, text_of(file.get("name")), text_of(file.get("signature"))))
    for name, value in mapping(document.get("memory_footprint")).items():
        statements.append(Property("memory footprint", name[:100], printed(value)))
    for blob in map(mapping, listing(document.get("ec_blobs_info"))[:1000]):
        text = f"encrypted {printed(blob.get('encrypted'))}"
        statements.append(Property("epoch controller blobs", printed(blob.get("blob_id")), text))
    for graph in map(mapping, listing(document.get("graphs"))[:1]):
        statements += [
            Property("graph", word, printed(graph.get(word))) for word in ("name", "inputs", "outputs")
        ]
        for side in ("original_inputs", "original_outputs"):
            for border in map(mapping, listing(graph.get(side))[:1000]):
                for word in ("shape_map", "c_shape_map"):
                    statements.append(
                        Property(
                            f"graph {side}",
                            f"{text_of(border.get('name'))} {word}",
                            printed(border.get(word)),
                        )
                    )
    for name in ("json_schema_version", "validation", "aton_execution_time"):
        statements.append(Property("file", name, printed(document.get(name))))
    return tuple(one for one in statements if one.text)


def _pool_names(document: dict[str, Any]) -> Names:
    pools = map(mapping, listing(document.get("memory_pools")))
    return {i: text_of(pool.get("name")) for pool in pools if (i := integer_of(pool.get("id"))) is not None}


_OF_POOL = (
    "fname",
    "alignment",
    "offset_start",
    "rights",
    "cacheable",
    "pipelined",
    "persistent",
    "user_allocated",
)


def _pools(document: dict[str, Any]) -> list[Pool]:
    weights: dict[int, int] = defaultdict(int)
    for buffer in map(mapping, listing(document.get("buffers"))):
        pool, size = integer_of(buffer.get("mpool_id")), integer_of(buffer.get("size_bytes"))
        if pool is not None and size is not None and buffer.get("is_param") is True:
            weights[pool] += size
    pools = []
    for entry in map(mapping, listing(document.get("memory_pools"))):
        attributes = mapping(entry.get("attributes"))
        identity = integer_of(entry.get("id"))
        pools.append(
            Pool(
                text_of(entry.get("name")),
                size=count_of(entry.get("size_bytes")),
                used=count_of(entry.get("used_size_bytes")),
                weights=weights.get(identity) if identity is not None else None,
                start=_address(entry.get("address")),
                byte_width=integer_of(attributes.get("byte_width")),
                freq_ratio=number_of(attributes.get("freq_ratio")),
                attributes=tuple(
                    (name[:60], printed(value))
                    for name, value in (*((n, entry.get(n)) for n in _OF_POOL), *attributes.items())
                    if name not in ("byte_width", "freq_ratio") and value is not None
                ),
            )
        )
    return pools


def _address(value: object) -> int | None:
    """875888640, which the tools write in quotes."""
    return integer(value) if isinstance(value, str) else integer_of(value)


def _borders(entries: object) -> list[Tensor]:
    tensors = []
    for entry in map(mapping, listing(entries)):
        form = mapping(entry.get("data_format"))
        scales, zeros = listing(form.get("scale")), listing(form.get("zero"))
        shape = sizes(entry.get("shape"))
        word = {"SIGNED": "int", "UNSIGNED": "uint", "FLOAT": "float"}.get(text_of(form.get("type")), "")
        tensors.append(
            Tensor(
                text_of(entry.get("name")),
                dtype=f"{word}{integer_of(form.get('size')) or ''}" if word else "",
                shape=shape,
                scale=number_of(scales[0]) if scales else None,
                zero_point=_zero(zeros[0]) if zeros else None,
            )
        )
    return tensors
