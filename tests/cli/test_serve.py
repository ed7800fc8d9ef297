"""`npuscope serve`: the explorer speaks through textual-serve, to pages of the server alone."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders.models import DENOISER, ROOT

from npuscope.cli.commands.serve import _build_arguments
from npuscope.cli.main import main
from npuscope.cli.parser import command_parser
from npuscope.cli.server import allowed, command_for, own_page


@pytest.mark.parametrize(
    ("host", "origin", "name", "expected"),
    [
        ("localhost:8000", None, "localhost", True),
        ("127.0.0.1:8000", "http://127.0.0.1:8000", "localhost", True),
        ("localhost:8000", "http://localhost:8000", "localhost", True),
        ("[::1]:8000", None, "localhost", True),
        ("localhost:8000", "http://evil.example", "localhost", False),
        ("localhost:8000", "http://localhost:8001", "localhost", False),
        ("localhost:8000", "null", "localhost", False),
        ("evil.example:8000", None, "localhost", False),
        ("localhost:9000", None, "localhost", False),
        ("localhost:8000.evil.example", None, "localhost", False),
        ("localhost:x", None, "localhost", False),
        (None, None, "localhost", False),
        ("box.lan:8000", "http://box.lan:8000", "0.0.0.0", True),
        ("box.lan:8000", "http://evil.example", "0.0.0.0", False),
        ("box.lan:8000", "http://box.lan:8000", "box.lan", True),
        ("other.lan:8000", "http://other.lan:8000", "box.lan", False),
    ],
)
def test_who_may_ask(host: str | None, origin: str | None, name: str, expected: bool) -> None:
    assert allowed(host, origin, name, 8000) is expected


def test_the_page_sends_for_nothing_elsewhere() -> None:
    page = (
        '<head><link rel="stylesheet" href="http://0.0.0.0:8000/static/css/xterm.css" />\n<link\n  rel="stylesheet"\n'
        '  href="https://fonts.googleapis.com/css?family=Roboto%20Mono"\n/></head><div data-url="ws://0.0.0.0:8000/ws">'
    )
    header = own_page(page, "0.0.0.0:8000", "box.lan:8000")
    assert "google" not in header and "0.0.0.0" not in header
    assert 'href="http://box.lan:8000/static/css/xterm.css"' in header and "ws://box.lan:8000/ws" in header
    assert header.index(".focus()") < header.index("</head>")


@pytest.mark.parametrize("name", ["a b.onnx", "$(touch owned).onnx", "'; rm -rf ~; '.onnx", "--help", "a\nb"])
@pytest.mark.skipif(sys.platform == "win32", reason="another shell")
def test_a_name_is_one_word_of_the_command(name: str) -> None:
    words = shlex.split(command_for([name if not name.startswith("--") else f"./{name}"]))
    assert words[1:4] == ["-m", "npuscope", "open"] and len(words) == 5 and words[4].endswith(name)


def test_the_build_is_passed_on() -> None:
    arguments = [
        "m.onnx",
        "--toolchain=2.1",
        "--board=NUCLEO-N657X0-Q",
        "--Oalt-sched",
        "--no-enable-epoch-controller",
        "--SWISH-recognition",
        "-O1",
    ]
    options = command_parser("serve").parse_intermixed_args(arguments)
    again = command_parser("open").parse_intermixed_args(["m.onnx", *_build_arguments(options)])
    for name in (
        "toolchain",
        "board",
        "scheduler",
        "epoch_controller",
        "swish_recognition",
        "optimization",
        "profile",
        "mpool",
    ):
        assert getattr(again, name) == getattr(options, name)


def test_without_textual_serve_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "textual_serve", None)
    monkeypatch.setitem(sys.modules, "textual_serve.server", None)
    assert main(["serve", str(DENOISER)]) == 2
    assert capsys.readouterr().err == (
        "npuscope: serve: needs textual-serve, which is not installed; pip install 'npuscope[serve]'\n"
    )


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "none.onnx"]) == 2
    assert "none.onnx: no such file" in capsys.readouterr().err


@pytest.fixture
def served() -> Iterator[int]:
    """The port of a server of the sample model."""
    pytest.importorskip("textual_serve")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    process = subprocess.Popen(
        [sys.executable, "-m", "npuscope", "serve", str(DENOISER), "--port", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment,
    )  # fmt: skip
    try:
        for _ in range(600):
            try:
                socket.create_connection(("localhost", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(300)


def test_the_explorer_is_on_the_page(served: int) -> None:
    import aiohttp

    async def look() -> tuple[str, list[int], str, str]:
        base = f"http://localhost:{served}"
        seen, codes, page_text, policy = b"", [], "", ""
        async with aiohttp.ClientSession() as client:
            for headers in ({}, {"Host": "evil.example"}, {"Origin": "http://evil.example"}):
                async with client.get(base, headers=headers) as answer:
                    codes.append(answer.status)
                    if not headers:
                        page_text, policy = await answer.text(), answer.headers["Content-Security-Policy"]
            async with client.ws_connect(f"{base}/ws?width=120&height=40", headers={"Origin": base}) as page:
                async with asyncio.timeout(300):
                    async for message in page:
                        seen += message.data if isinstance(message.data, bytes) else b""
                        if b"Conv2D_23" in seen and b"257" in seen:
                            break
        return seen.decode("utf-8", "replace"), codes, page_text, policy

    seen, codes, page_text, policy = asyncio.run(look())
    elsewhere = set(re.findall(r"(?:https?|wss?)://[^/\"]+", page_text)) - {"http://www.w3.org"}
    assert elsewhere == {f"http://localhost:{served}", f"ws://localhost:{served}"}
    assert policy.startswith("default-src 'self';") and f"ws://localhost:{served}" in policy
    assert codes == [200, 403, 403]
    assert "denoiser_lstm_int8" in seen and Path(DENOISER).exists()
