"""Random keys in bursts on the real program in a pseudo-terminal: python tools/fuzz_keys.py MODEL... [--keys 50000].

Between bursts the terminal changes its size, and the model's file is cut short, replaced, taken away or put back; each life has
an environment of its own, and the last thing that happens to some is that their terminal goes away.

Reports keys sent, times the program was started (quitting is allowed), its memory after the first and the last burst of
each life, and stops at the first life that ended otherwise than by quitting, did not end without a terminal, or left a crash
report. Works on copies of the models in a folder of its own; as root it types no slash and no tilde, since a path typed may
lead anywhere (--any-path where nothing there can be written to).
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import random
import select
import shutil
import signal
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PATHS = (b"/", b"~")
KEYS = (
    *(bytes([c]) for c in range(0x20, 0x7F) if bytes([c]) not in PATHS),
    *(b"\r", b"\t", b"\x1b", b"\x7f", b"\x02", b"\x04", b"\x06", b"\x0f", b"\x10", b"\x15"),
    *(b"\x1b[" + end for end in (b"A", b"B", b"C", b"D", b"H", b"F", b"Z", b"5~", b"6~", b"3~", b"11~")),
    *(b"\x1bo", b"\xe9", b"\xff\xfe", "é".encode(), "名".encode(), b"\x1b[200~144+113\n\x1b[201~"),
    *(
        b"\x1b[<0;20;9M\x1b[<0;20;9m",
        b"\x1b[<64;20;9M",
        b"\x1b[<65;90;9M",
        b"\x1b[<0;999999999;1M",
        b"\x1b[I",
    ),
    *(b"\x1b[<%d;%d;%d%c" % (kind, x, y, end) for kind in (0, 2, 16, 35, 65) for x, y in ((3, 3), (60, 20)) for end in b"Mm"),
)  # fmt: skip
ENVIRONMENTS: tuple[dict[str, str], ...] = (
    *({}, {}, {"TERM": "dumb"}, {"TERM": "linux", "LANG": "C", "LC_ALL": "C"}, {"NO_COLOR": "1", "COLORTERM": "truecolor"}),
    *({"TERM": "vt100", "LC_ALL": "POSIX"}, {"TERM": "", "COLUMNS": "20", "LINES": "x"}, {"TERM": "screen.xterm-256color", "TMUX": "x"}),
)  # fmt: skip
SIZES = ((24, 80), (40, 120), (50, 200), (12, 40), (24, 20), (3, 9), (1, 1))
ENDS = 20
"""Seconds that a life may take to end once its terminal is gone."""


class Life:
    """One run of the program, from start to end."""

    def __init__(self, model: Path, home: Path, environment: Mapping[str, str]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(model.parent)
            os.environ.update(TERM="xterm-256color", HOME=str(home), XDG_STATE_HOME=str(home / "state"))
            os.environ.update(environment)
            try:
                os.execv(sys.executable, [sys.executable, "-m", "npuscope", str(model)])
            finally:
                os._exit(127)
        self.resize(40, 120)
        self.shown = b""
        """The last it wrote."""

    def resize(self, rows: int, columns: int) -> None:
        """Another size of the terminal."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def drain(self, rest: float, longest: float, something: bool = False) -> bool:
        """Read what it writes until it rests, but for the first of it where `something` must come. False where it ended."""
        end, last = time.monotonic() + longest, time.monotonic()
        while time.monotonic() < end and (time.monotonic() - last < rest or (something and not self.shown)):
            if select.select([self.fd], [], [], 0.02)[0]:
                try:
                    data = os.read(self.fd, 1 << 16)
                except OSError:
                    return False
                if not data:
                    return False
                self.shown = (self.shown + data)[-2000:]
                last = time.monotonic()
        return True

    def send(self, data: bytes) -> bool:
        """Type. False where it has ended."""
        try:
            os.write(self.fd, data)
        except OSError:
            return False
        return True

    def memory(self) -> float:
        """Resident MiB, 0 where it has ended."""
        try:
            lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        except OSError:
            return 0.0
        return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)

    def hang_up(self) -> bool:
        """Take the terminal away. False where the program goes on without one."""
        os.close(self.fd)
        self.fd = os.open(os.devnull, os.O_RDONLY)
        end = time.monotonic() + ENDS
        while time.monotonic() < end:
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                return True
            time.sleep(0.05)
        return False

    def end(self, kill: bool) -> int:
        """The exit status; killed first where asked."""
        if kill:
            os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def clear(place: Path) -> None:
    """Take away what lies there."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def disturb(model: Path, whole: bytes, draw: random.Random) -> str:
    """Do something to the model's file; what."""
    what = draw.choice(("back", "back", "cut", "empty", "gone", "folder", "link", "other"))
    clear(model)
    if what == "folder":
        model.mkdir()
    elif what == "link":
        model.symlink_to(model)
    elif what != "gone":
        data = {"cut": whole[: draw.randrange(len(whole))], "empty": b"", "other": whole + b"\x0a\x00"}.get(
            what, whole
        )
        model.write_bytes(data)
    return what


def fuzz(
    model: Path, home: Path, keys: int, draw: random.Random, known: Sequence[bytes]
) -> tuple[int, int, float, float]:
    """Send keys. The number sent, of lives, MiB after the first burst and at most. Raises SystemExit for a crash."""
    whole = model.read_bytes()
    sent = lives = 0
    first = most = 0.0
    crash = home / "state" / "npuscope" / "crash.txt"
    while sent < keys:
        environment = draw.choice(ENVIRONMENTS)
        disturb_from, last = sent + draw.randint(0, 2000), sent + draw.randint(500, 6000)
        clear(model)
        model.write_bytes(whole)
        life = Life(model, home, environment)
        lives += 1
        up = life.drain(0.6, 60, something=True)
        history: list[bytes] = []
        while up and sent < keys:
            burst = [draw.choice(known) for _ in range(draw.randint(1, 40))]
            if draw.random() < 0.1:
                burst = burst[:1] * 60
            burst = [key for key in burst if key != b"q" or draw.random() < 0.02]
            if draw.random() < 0.05:
                life.resize(*draw.choice(SIZES))
            if sent > disturb_from and draw.random() < 0.03:
                history.append(disturb(model, whole, draw).encode())
            history = [*history[-9:], b"".join(burst)]
            up = life.send(history[-1]) and life.drain(0.05, 1.0)
            sent += len(burst)
            if len(history) == 1:
                first = first or life.memory()
            most = max(most, life.memory())
            if crash.exists() or sent > last:
                break
        hung = up and sent > last and draw.random() < 0.5
        stays = hung and not life.hang_up()
        status = life.end(kill=up and (stays or not hung))
        if crash.exists() or stays or (not up and status != 0):
            goes_on = " without a terminal it goes on;" if stays else ""
            print(f"status {status} after {sent} keys;{goes_on} {environment}; last bursts {history}")
            print(crash.read_text() if crash.exists() else f"no crash report; it wrote {life.shown!r}")
            raise SystemExit(1)
    return sent, lives, first, most


def main() -> None:
    """Read the arguments and go."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--keys", type=int, default=50_000, help="over all models")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--any-path", action="store_true", help="type / and ~ although all may be written to")
    args = parser.parse_args()
    known = (*KEYS, *PATHS) if args.any_path or os.getuid() else KEYS
    for number, model in enumerate(args.models):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            copy = Path(shutil.copy(model, home / model.name))
            draw = random.Random(args.seed * 1000 + number)
            start = time.monotonic()
            sent, lives, first, most = fuzz(copy, home, args.keys // len(args.models), draw, known)
            seconds = time.monotonic() - start
            print(f"{model.name}: {sent} keys, {lives} lives, {first:.0f} -> {most:.0f} MiB, {seconds:.0f} s")


if __name__ == "__main__":
    main()
