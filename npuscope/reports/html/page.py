"""The page: what there is to read stands in it as text; its one script sorts the tables and draws the graph."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from importlib.resources import files

from npuscope import __version__
from npuscope.model.brief import fitted
from npuscope.model.names import printable, shortened
from npuscope.neural_art.kernels.evidence import evidence
from npuscope.neural_art.notes import notes
from npuscope.npu.figures import size_words, thousands
from npuscope.npu.times import in_ms
from npuscope.npu.verdict import Finding
from npuscope.numbers.verify_models import Verification
from npuscope.reports.html.change import change_section
from npuscope.reports.html.data import data_text, page_data
from npuscope.reports.html.drawings import CLASSES, over_time, pools, roofline, timeline
from npuscope.reports.text_report import IF_QUANTIZED, placement_words, room_lines, verdict_line
from npuscope.session import Session
from npuscope.snapshot import Snapshot

MOST_FINDINGS = 200
NAMED = 6
NAME_WIDTH = 60


def check_html(
    session: Session,
    snapshot: Snapshot,
    before: Snapshot | None = None,
    checked: Verification | None = None,
) -> str:
    """One file: no script, style, picture or font from elsewhere; a name in it is text and nothing else.

    With the analysis from `before` its edits, it says what they did; `checked` is what running both models gave.
    """
    script, style = (_file(name) for name in ("page.js", "page.css"))
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; base-uri 'none'; "
        "form-action 'none'"
    )
    title = shortened(printable(session.source.path.name), 120) + IF_QUANTIZED * snapshot.graph.as_int8
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{_inert(title)} - npuscope</title>",
            f"<style>{style}</style>",
            "</head>",
            "<body>",
            *_head(session, snapshot, title),
            *(change_section(session, before, snapshot, checked) if before is not None else ()),
            *_findings(snapshot),
            *_figures(session, snapshot),
            *_tables(),
            f'<script type="application/json" id="data">{data_text(page_data(snapshot))}</script>',
            f"<script>{script}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _file(name: str) -> str:
    return files("npuscope.reports.html").joinpath(name).read_text("utf-8").strip()


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _inert(text: str) -> str:
    return escape(printable(text), quote=True)


# -- what there is to read


def _head(session: Session, snapshot: Snapshot, title: str) -> Iterable[str]:
    target, summary = snapshot.target, snapshot.summary
    judged_for = (
        f"{target.title} · ST Edge AI Core {target.toolchain.version} · {target.profile} clocks, "
        f"{target.clocks.npu_hz // 1_000_000} MHz · npuscope {__version__}"
    )
    kind = "sw" if summary.on_cpu else "hybrid" if summary.hybrid else "hw"
    yield f"<header><h1>{_inert(title)}</h1>"
    yield f'<p class="quiet">{_inert(judged_for)}</p>'
    yield f'<p class="verdict {kind}-text">{_inert(verdict_line(snapshot))}</p>'
    for line in room_lines(snapshot):
        yield f"<p>{_inert(line)}</p>"
    for note in notes(session.source):
        yield f'<p class="note">note: {_inert(note)}</p>'
    error = (
        f" ± {100 * summary.milliseconds_error / summary.milliseconds:.0f} %" if summary.milliseconds else ""
    )
    yield "<dl>"
    for name, value in (
        ("layers", f"{placement_words(summary)}" if summary.off_npu else f"{summary.layers}, all on the NPU"),
        ("inference, predicted", f"{in_ms(summary.milliseconds)} ms{error}"),
        (
            "epochs",
            f"{summary.epochs}: {summary.epochs_hw} hardware, {summary.epochs_hybrid} hybrid, {summary.epochs_sw} software",
        ),
        ("compute cycles", thousands(summary.compute_cycles)),
        ("cycles with memory", thousands(summary.cycles)),
        ("MAC", thousands(summary.macs)),
        ("weights", size_words(summary.weights_bytes)),
        ("activations", size_words(summary.activations_bytes)),
    ):
        yield f"<div><dt>{name}</dt><dd>{_inert(value)}</dd></div>"
    yield "</dl>"
    if session.done:
        yield "<p>Edits:</p><ul>"
        for edit in session.done[:MOST_FINDINGS]:
            yield f"<li>{_inert(edit.describe())} ({edit.exactness.value})</li>"
        yield "</ul>"
    yield "</header>"


def _findings(snapshot: Snapshot) -> Iterable[str]:
    off: dict[tuple[str, str], tuple[Finding, list[str]]] = {}
    other: dict[tuple[str, str], tuple[Finding, list[str]]] = {}
    for report in snapshot.layers:
        forcing = set(map(id, report.forced_by)) if report.off_npu else set()
        for finding in report.findings:
            group, key = (off, finding.message) if id(finding) in forcing else (other, finding.fix)
            group.setdefault((finding.code, key), (finding, []))[1].append(report.name)
    yield '<section id="findings">'
    yield f"<h2>Not on the NPU</h2>{'' if off else '<p>Nothing: all layers run on the NPU.</p>'}"
    yield from _articles(off.values())
    if other:
        yield "<h2>Risks and what could be faster</h2>"
        yield from _articles(other.values())
    yield "</section>"


def _articles(groups: Iterable[tuple[Finding, list[str]]]) -> Iterable[str]:
    ordered = sorted(groups, key=lambda group: (-len(group[1]), group[0].code))
    for finding, layers in ordered[:MOST_FINDINGS]:
        kind = CLASSES[finding.placement] if finding.placement is not None else "none"
        named = ", ".join(fitted(layers[:NAMED], NAME_WIDTH))
        more = f" and {len(layers) - NAMED} more" if len(layers) > NAMED else ""
        count = f"{len(layers)} layers: " if len(layers) > 1 else ""
        yield f'<article class="{kind}"><p><b>{finding.code}</b> {_inert(count + finding.message)}</p>'
        yield f"<p>{_inert(named + more)}</p>"
        seen = str(evidence(finding.cause)) if finding.cause else ""
        for title, words in (("why", finding.why), ("seen", seen), ("fix", finding.fix)):
            if words:
                yield f'<p class="quiet"><b>{title}</b> {_inert(words)}</p>'
        yield f'<p class="quiet">{finding.severity.value}, {finding.confidence.value}</p></article>'
    if len(ordered) > MOST_FINDINGS:
        yield f"<p>{len(ordered) - MOST_FINDINGS} more are in npuscope check --json.</p>"


KEY = (
    '<p class="key"><span><i class="hw"></i>NPU</span><span><i class="hybrid"></i>hybrid</span>'
    '<span><i class="sw"></i>CPU</span><span><i class="none"></i>nothing to run</span></p>'
)


def _figures(session: Session, snapshot: Snapshot) -> Iterable[str]:
    for title, drawing, key in (
        ("Time", timeline(snapshot), KEY),
        ("Roofline", roofline(snapshot), ""),
        (
            "Memory",
            pools(snapshot) + over_time(session.layers, snapshot),
            '<p class="key"><span><i class="weights"></i>weights</span><span><i class="activations"></i>activations</span></p>',
        ),
    ):
        if drawing:
            yield f'<section class="figure"><h2>{title}</h2>{key}{drawing}</section>'


def _tables() -> Iterable[str]:
    yield "<noscript><p>The graph and the tables of layers and epochs need the script in this file.</p></noscript>"
    yield f"<section><h2>Graph</h2>{KEY}"
    yield "<p class=\"quiet\">One mark per layer, in the model's order from top to bottom; the CPU's are diamonds.</p>"
    yield '<p class="quiet screen">Click one.</p>'
    yield '<p id="picked" role="status"></p><div id="graph" class="wide"></div></section>'
    yield '<section id="layers"><h2>Layers</h2></section>'
    yield '<section id="epochs"><h2>Epochs</h2></section>'
