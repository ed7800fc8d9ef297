"""What workers and the app tell each other."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from npuscope.session import Session
from npuscope.snapshot import Snapshot


@dataclass
class Opened(Message):
    """A file was read and analysed."""

    session: Session
    snapshot: Snapshot


@dataclass
class NotOpened(Message):
    """A file could not be read."""

    path: str
    reason: str


@dataclass
class Analysed(Message):
    """A state of the session was analysed; of no use any more where the session has moved on."""

    session: Session
    snapshot: Snapshot


@dataclass
class NotAnalysed(Message):
    """A state of the session could not be analysed."""

    session: Session
    reason: str
