"""What workers and the app tell each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from npuscope.edits.edit import Refusal
    from npuscope.files.onnx_file import ExportResult
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


@dataclass
class Calibrating(Message):
    """Some samples of a calibration were run, or some edits made."""

    done: int
    total: int
    what: str

    def can_replace(self, message: Message) -> bool:
        """The newest count is enough."""
        return isinstance(message, Calibrating)


@dataclass
class Made(Message):
    """Edits were made on `before`, or cannot be; of no use where the session has moved on."""

    before: Session
    after: Session | Refusal
    text: str
    note: str = ""


@dataclass
class Written(Message):
    """A model was written, or why not."""

    session: Session
    result: ExportResult | str
