"""The HTML report: everything is in it, nothing comes from elsewhere, names do nothing, it is small; and in a browser it sorts."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import onnx
import pytest
from builders.models import DENOISER, SAMPLES, analysed
from onnx import TensorProto, helper

from npuscope.cli.main import main
from npuscope.edits.apply_all import apply_all
from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.npu.ledger import BOUNDS
from npuscope.npu.times import in_ms
from npuscope.reports.change_report import before_and_after
from npuscope.reports.html.data import page_data
from npuscope.reports.html.page import check_html
from npuscope.services.writing import write_recipe
from npuscope.session import Session
from npuscope.snapshot import analyse

CHROMIUM = next(
    (path for name in ("chromium", "google-chrome", "chrome") if (path := shutil.which(name))), None
)
VOID = {"meta", "input", "br"}

HOSTILE = [
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=document.title='owned'>",
    "\"><svg onload=document.title='owned'>",
    "' onclick='x",
    "<!--", "-->", "<![CDATA[", "]]>",
    "&lt;script&gt;", "&#60;b&#62;", "\\u003cscript\\u003e",
    "</style><style>body{display:none}", "</title>", "</svg>", "</noscript>", "<base href=//evil>",
    "javascript:alert(1)", "${alert(1)}", "{{7*7}}", "__proto__", "constructor", "toString",
    "\x1b[2J\x00\x07\n\r\t", "\u202eevil\u202c", "\u2028\u2029", "\u200b\ufeff",
    "x" * 3000, "a/" * 400, "שלום", "名前" * 40, "e\u0301" * 60, "",
]  # fmt: skip


class Page(HTMLParser):
    """What a parser makes of the page: elements, attributes, text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif self.open and self.open[-1] != "style":
            self.words.append(data)


def chain(names: list[str], path: Path) -> Path:
    """A model with a Relu of each name, the names also those of its tensors."""
    nodes, before = [], "x"
    for at, name in enumerate(names):
        after = f"{name}_{at}"
        nodes.append(helper.make_node("Relu", [before], [after], name=name))
        before = after
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 8, 4, 4]) for n in ("x", before)]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def report(path: Path) -> str:
    session = Session.open(load(path), target())
    return check_html(session, analyse(session))


@pytest.fixture(scope="module")
def denoiser() -> str:
    return report(DENOISER)


def data_of(page: Page) -> dict[str, dict[str, object]]:
    pools: dict[str, dict[str, object]] = json.loads(page.scripts[0])
    return pools


def test_everything_is_in_it(denoiser: str) -> None:
    page, snapshot = Page(denoiser), analysed(load(DENOISER), "4.0")
    assert page.open == []
    words = " ".join(page.words)
    for texts in ("3 of 32 layers on the CPU", "257 input channels cannot be tiled", "Conv2D_23, Gemm_28, Conv2D_79",
                 "Roofline", "Memory", "octoFlash", f"epoch {len(snapshot.epochs)}"):  # fmt: skip
        assert texts in words
    data = data_of(page)
    assert len(data["layers"]["ms"]) == len(snapshot.layers)  # type: ignore[arg-type]
    assert len(data["epochs"]["ms"]) == len(snapshot.epochs)  # type: ignore[arg-type]
    assert data["layers"]["cycles"] == [layer.line.cycles for layer in snapshot.layers]
    assert [tag for tag, _ in page.elements].count("svg") == 4


def test_edits_are_shown_before_and_after(tmp_path: Path) -> None:
    session = Session.open(load(DENOISER), target("2.1")).edit(PadChannels("Gemm_28", 264))
    assert isinstance(session, Session)
    before, after = before_and_after(session)
    text = check_html(session, after, before)
    page = Page(text)
    assert page.open == []
    cells = " | ".join(page.words)
    summaries = [in_ms(one.summary.milliseconds) for one in (before, after)]
    for words in (
        "Before and after", "Gemm_28 no longer needs the CPU.", "Layers that changed",
        f"inference, predicted | {summaries[0]} ms | {summaries[1]} ms", "Gemm_28 | Gemm | changed | CPU int8 | NPU",
    ):  # fmt: skip
        assert words in cells, cells[:2000]
    assert "Before and after" not in check_html(session, after)


def test_nothing_comes_from_elsewhere(denoiser: str) -> None:
    page = Page(denoiser)
    for tag, attributes in page.elements:
        assert not {"src", "href", "style", "srcset", "action", "data"} & attributes.keys(), tag
        assert not [name for name in attributes if name.startswith("on")]
        assert tag not in ("link", "iframe", "object", "embed", "base", "form", "img")
    code = denoiser[denoiser.index("<style>") : denoiser.index("</style>")] + page.scripts[1]
    assert not re.search(
        r"url\(|@import|import\(|fetch|XMLHttp|WebSocket|innerHTML|eval|document\.write", code
    )
    assert set(re.findall(r"https?://[^\s\"'<]*", denoiser)) <= {"http://www.w3.org/2000/svg"}
    policy = next(
        a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None and policy.startswith("default-src 'none'; script-src 'sha256-")
    script = page.scripts[1]
    assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in policy


def test_hostile_names_are_text(tmp_path: Path, denoiser: str) -> None:
    text = report(chain(HOSTILE, tmp_path / "m.onnx"))
    page, plain = Page(text), Page(denoiser)
    assert page.open == [] and len(page.scripts) == 2
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in plain.elements}
    assert {name for _, a in page.elements for name in a} <= {name for _, a in plain.elements for name in a}
    assert all(c.isprintable() or c == "\n" for c in text)
    assert len(data_of(page)["layers"]["name"]) == len(HOSTILE)  # type: ignore[arg-type]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_hostile_file_name(tmp_path: Path) -> None:
    page = Page(report(chain(["a"], tmp_path / "<script>alert(1)<\\script>&\u202e.onnx")))
    assert page.open == [] and len(page.scripts) == 2
    assert "<script>alert(1)<\\script>&\\u202e.onnx - npuscope" in page.words


def test_ten_thousand_layers_stay_below_a_megabyte(tmp_path: Path) -> None:
    """By what a layer adds: all that grows with the layers grows in proportion."""
    few, many = (
        len(
            report(
                chain(
                    [f"/backbone/stage.{n % 7}/block.{n}/act/Relu_{n}" for n in range(count)],
                    tmp_path / "m.onnx",
                )
            )
        )
        for count in (150, 450)
    )
    each = (many - few) / 300
    assert few + 9850 * each < 1_000_000


@pytest.mark.parametrize(
    "name", ["mobilenet_mini_int8", "attention_block_int8", "denoiser_lstm_float", "convnet_qoperator"]
)
def test_each_sample_has_a_page(name: str) -> None:
    assert Page(report(SAMPLES / f"{name}.onnx")).open == []


# -- the command


def test_the_command_writes_it_besides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.html"
    assert main(["check", str(DENOISER), "--report", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "npuscope.check/1"
    assert out.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert main(["check", str(DENOISER), "--report", str(out)]) == 2
    assert main(["check", str(DENOISER), "--report", str(out), "--force", "--fail-on", "sw"]) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--report", "out.txt"], ".html"),
        (["--report", "out.html", "--sweep"], "covers one model"),
        ([str(SAMPLES), "--report", "out.html"], "covers one model"),
    ],
)
def test_what_it_is_not_for(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(DENOISER), *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_of_an_edited_model(tmp_path: Path) -> None:
    out = tmp_path / "fixed.html"
    recipe = tmp_path / "pad.toml"
    session = Session.open(load(DENOISER), target())
    edited = apply_all(session, [PadChannels("Gemm_28", 264)])
    assert isinstance(edited, Session)
    write_recipe(edited, recipe)
    assert (
        main(["apply", str(DENOISER), str(recipe), "-o", str(tmp_path / "f.onnx"), "--report", str(out)]) == 0
    )
    words = " ".join(Page(out.read_text("utf-8")).words)
    assert "2 of 32 layers on the CPU" in words and "Edits:" in words


# -- in a browser

in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")

PROBE = """
const out = document.documentElement.dataset;
const cells = (n) => [...document.querySelectorAll("#layers tbody tr")].map((row) => row.children[n].textContent);
const heads = [...document.querySelectorAll("#layers th button")];
const head = (title) => heads.find((button) => button.textContent.startsWith(title));
out.first = JSON.stringify(cells(1));
head("ms").click();
out.slowest = JSON.stringify(cells(3));
out.sorted = head("ms").parentElement.getAttribute("aria-sort");
head("layer").click();
out.byName = JSON.stringify(cells(1));
document.querySelector("#layers select").value = "2";
document.querySelector("#layers select").dispatchEvent(new Event("change"));
out.cpu = JSON.stringify(cells(1));
out.shapes = document.querySelectorAll("#graph path.sw").length;
out.title2 = document.title;
document.querySelector("#layers tbody tr")?.click();
out.picked = document.getElementById("picked").textContent;
out.wide = document.documentElement.scrollWidth > innerWidth;
document.querySelector("#layers select").value = "";
document.querySelector("#layers select").dispatchEvent(new Event("change"));
const said = () => [cells(0).length, document.querySelectorAll("#layers th button").length, document.querySelectorAll("#graph svg").length];
out.screen = JSON.stringify(said());
dispatchEvent(new Event("beforeprint"));
out.paper = JSON.stringify(said());
out.marks = document.querySelectorAll("#graph .picked").length;
dispatchEvent(new Event("afterprint"));
out.again = JSON.stringify(said());
"""


def probed(text: str, folder: Path, width: int = 1280) -> dict[str, str]:
    """What the probe found in the page, opened in headless Chromium under the page's own policy."""
    code = base64.b64encode(hashlib.sha256(PROBE.encode()).digest()).decode()
    text = text.replace("script-src ", f"script-src 'sha256-{code}' ", 1)
    text = text.replace("</body>", f"<script>{PROBE}</script></body>")
    path = folder / "page.html"
    path.write_text(text, "utf-8")
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", f"--user-data-dir={folder / 'profile'}",
         f"--window-size={width},900", path.as_uri()],
        capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    root = Page(done.stdout.decode("utf-8")).elements[0]
    assert root[0] == "html"
    return {name.removeprefix("data-"): value or "" for name, value in root[1].items()}


@in_browser
def test_it_sorts_and_narrows_down(denoiser: str, tmp_path: Path) -> None:
    shown = probed(denoiser, tmp_path)
    snapshot = analysed(load(DENOISER), "4.0")
    assert json.loads(shown["first"]) == [layer.name for layer in snapshot.layers]
    times = [float(cell or 0) for cell in json.loads(shown["slowest"])]
    assert shown["sorted"] == "descending" and times == sorted(times, reverse=True) and times[0] > 0
    assert json.loads(shown["by-name"]) == sorted(layer.name for layer in snapshot.layers)
    assert json.loads(shown["cpu"]) == ["Conv2D_23", "Conv2D_79", "Gemm_28"]
    assert shown["shapes"] == "1"
    assert shown["picked"].startswith("Conv2D_23 · Conv") and shown["marks"] == "1"


@in_browser
def test_paper_shows_every_row_under_a_head_of_text(tmp_path: Path) -> None:
    """Chromium repeats the head of a table on each sheet only where no button is in it."""
    shown = probed(report(chain([f"Relu_{n}" for n in range(450)], tmp_path / "m.onnx")), tmp_path)
    rows, buttons, _ = json.loads(shown["screen"])
    assert (rows, buttons) == (300, 12)
    assert json.loads(shown["paper"])[:2] == [450, 0]
    assert json.loads(shown["again"]) == json.loads(shown["screen"])


@in_browser
def test_on_a_phone_the_page_is_no_wider_than_it(denoiser: str, tmp_path: Path) -> None:
    few, many = (
        probed(denoiser, tmp_path, width) for width in (500, 1280)
    )  # Chromium has no narrower window
    assert few["wide"] == many["wide"] == "false"


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """A server on this machine, and what was asked of it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@in_browser
def test_hostile_names_do_nothing_in_a_browser(tmp_path: Path, listener: tuple[str, list[str]]) -> None:
    address, asked = listener
    names = [
        *HOSTILE,
        f"<img src={address}/a>",
        f"</script><script src={address}/b></script>",
        f"url({address}/c)",
    ]
    shown = probed(report(chain(names, tmp_path / "m.onnx")), tmp_path)
    assert shown["title2"] == "m.onnx - npuscope"
    assert len(json.loads(shown["first"])) == len(names)
    assert asked == []


def test_the_page_names_bounds_as_the_explorer_does() -> None:
    session = Session.open(load(DENOISER), target("2.1"))
    data = page_data(analyse(session))
    for table in ("layers", "epochs"):
        words = set(data[table]["bound"]["words"])
        assert "CPU" in words and not words & BOUNDS.keys()
