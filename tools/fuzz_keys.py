"""Random keys in bursts on the real program in a pseudo-terminal: python tools/fuzz_keys.py MODEL... [--keys 50000].

Reports keys sent, times the program was started (quitting is allowed), its memory after the first and the last burst of
each life, and stops at the first life that ended otherwise than by quitting, or left a crash report. Works on copies of
the models in a folder of its own; as root it types no slash and no tilde, since a path typed may lead anywhere.
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
from pathlib import Path

KEYS = (
    *(bytes([c]) for c in range(0x20, 0x7F) if os.getuid() or chr(c) not in "/~"),
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
)
SIZES = ((24, 80), (40, 120), (50, 200), (12, 40), (3, 9), (1, 1))


class Life:
    """One run of the program, from start to end."""

    def __init__(self, model: Path, home: Path) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(model.parent)
            os.environ.update(TERM="xterm-256color", HOME=str(home), XDG_STATE_HOME=str(home / "state"))
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

    def end(self, kill: bool) -> int:
        """The exit status; killed first where asked."""
        if kill:
            os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def fuzz(model: Path, home: Path, keys: int, draw: random.Random) -> tuple[int, int, float, float]:
    """Send keys. The number sent, of lives, MiB after the first burst and at most. Raises SystemExit for a crash."""
    sent = lives = 0
    first = most = 0.0
    crash = home / "state" / "npuscope" / "crash.txt"
    while sent < keys:
        life = Life(model, home)
        lives += 1
        up = life.drain(0.6, 60, something=True)
        history: list[bytes] = []
        while up and sent < keys:
            burst = [draw.choice(KEYS) for _ in range(draw.randint(1, 40))]
            if draw.random() < 0.1:
                burst = burst[:1] * 60
            burst = [key for key in burst if key != b"q" or draw.random() < 0.02]
            if draw.random() < 0.05:
                life.resize(*draw.choice(SIZES))
            history = [*history[-4:], b"".join(burst)]
            up = life.send(history[-1]) and life.drain(0.05, 1.0)
            sent += len(burst)
            if len(history) == 1:
                first = first or life.memory()
            most = max(most, life.memory())
            if crash.exists():
                break
        status = life.end(kill=up)
        if crash.exists() or (not up and status != 0):
            print(f"status {status} after {sent} keys; last bursts {history}")
            print(crash.read_text() if crash.exists() else f"no crash report; it wrote {life.shown!r}")
            raise SystemExit(1)
    return sent, lives, first, most


def main() -> None:
    """Read the arguments and go."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--keys", type=int, default=50_000, help="over all models")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    for number, model in enumerate(args.models):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            copy = Path(shutil.copy(model, home / model.name))
            draw = random.Random(args.seed * 1000 + number)
            start = time.monotonic()
            sent, lives, first, most = fuzz(copy, home, args.keys // len(args.models), draw)
            seconds = time.monotonic() - start
            print(f"{model.name}: {sent} keys, {lives} lives, {first:.0f} -> {most:.0f} MiB, {seconds:.0f} s")


if __name__ == "__main__":
    main()
