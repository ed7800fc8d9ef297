"""The error for input that cannot be used."""

from __future__ import annotations


class ModelError(Exception):
    """A file or an argument cannot be used; the message says what, where and what to do, in one line."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class TooLargeError(ModelError):
    """There is nothing wrong with it, but that it would fill the memory."""


def one_line(text: str, limit: int = 300) -> str:
    """`text` without control characters or line breaks, cut to `limit` characters."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(flat) <= limit:
        return flat
    tail = limit // 2  # the end of a message has the reason, its beginning a path
    return f"{flat[: limit - tail - 1]}…{flat[-tail:]}"
