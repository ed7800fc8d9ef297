"""The server behind `npuscope serve`: textual-serve, which answers pages of its own alone, and sends for nothing elsewhere."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from npuscope.model.errors import ModelError


def command_for(arguments: Sequence[str]) -> str:
    """The command that textual-serve gives to a shell: nothing in a name is one for it."""
    words = [
        sys.executable,
        "-m",
        "npuscope",
        "open",
        *(a if a.startswith("--") else _path(a) for a in arguments),
    ]
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def _path(name: str) -> str:
    return f"./{name}" if name.startswith("-") else name


def allowed(host: str | None, origin: str | None, name: str, port: int) -> bool:
    """A request names this server, and comes from a page of it where it comes from a page.

    Without this, any page that is open in the same browser could drive the explorer.
    """
    names = {name, "localhost", "127.0.0.1", "::1"}
    if host is None or not _is_own(f"//{host}", names, port):
        return name in ("0.0.0.0", "::") and host is not None and (origin is None or _same(origin, host))  # noqa: S104
    return origin is None or (_is_own(origin, names, port) and _same(origin, host))


def _is_own(url: str, names: set[str], port: int) -> bool:
    try:
        parts = urlsplit(url)
        return parts.hostname in names and (parts.port or 80) == port
    except ValueError:
        return False


def _same(origin: str, host: str) -> bool:
    return urlsplit(origin).netloc == host


def policy(host: str) -> str:
    """What the page may load, and who may show it in a frame: nobody."""
    return (
        f"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        f"connect-src 'self' ws://{host} wss://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


HEAD = """<title>npuscope</title>
<link rel="icon" href="data:,">
<style>@font-face{font-family:"Roboto Mono";src:url("/static/fonts/RobotoMono-VariableFont_wght.ttf")}</style>
<script>
  const look = new MutationObserver(() => {
    const keys = document.querySelector("#terminal textarea");
    if (keys && document.body.classList.contains("-first-byte")) { look.disconnect(); keys.focus(); }
  });
  look.observe(document, { subtree: true, childList: true, attributes: true });
</script>
"""


def own_page(text: str, stated: str, asked: str) -> str:
    """The page without what comes from elsewhere, and with the keys in the terminal as soon as it shows something.

    1. textual-serve's asks Google for a font, and takes no key before a click.
    2. Its addresses begin with where it listens (`stated`), which is no address to be reached at for 0.0.0.0; they are made
       those that the browser asked for (`asked`).
    """
    text = text.replace(f"//{stated}/", f"//{asked}/")
    text = re.sub(rf'<link\b[^>]*href="https?://(?!{re.escape(asked)}/)[^>]*>', "", text)
    return text.replace("</head>", f"{HEAD}</head>", 1)


def serve(command: str, host: str, port: int) -> None:
    """Serve until it is interrupted. Raises ModelError where textual-serve is missing or the port is taken."""
    try:
        from aiohttp import web
        from textual_serve.server import Server
    except ImportError:
        raise ModelError(
            "serve: needs textual-serve, which is not installed; pip install 'npuscope[serve]'"
        ) from None

    class OwnPages(Server):  # type: ignore[misc, unused-ignore]
        """Refuses requests of other pages."""

        async def _make_app(self) -> Any:
            app = await super()._make_app()

            async def own(request: Any, handler: Any) -> Any:
                headers = request.headers
                if not allowed(headers.get("Host"), headers.get("Origin"), host, port):
                    raise web.HTTPForbidden(text="not a page of this server")
                answer = await handler(request)
                if isinstance(answer, web.Response) and answer.content_type == "text/html":
                    stated = urlsplit(self.public_url).netloc
                    answer.text = own_page(answer.text or "", stated, request.host)
                    answer.headers["Content-Security-Policy"] = policy(request.host)
                return answer

            app.middlewares.append(web.middleware(own))
            return app

    _check_port(host, port)
    OwnPages(command, host=host, port=port, title="npuscope").serve()


def _check_port(host: str, port: int) -> None:
    """Raises ModelError where nothing can listen there."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if sys.platform != "win32":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"--host {host[:80]} --port {port}: cannot listen there ({reason})") from error
