"""An error while a message is handled is the application's to deal with; what handles messages goes on."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from textual.message import Message
from textual.message_pump import MessagePump


@runtime_checkable
class Survivor(Protocol):
    """An application that outlives errors in handlers."""

    def survive(self, error: Exception, pump: MessagePump) -> None:
        """Show and log an error that was raised in `pump`."""


class Guarded(MessagePump):
    """The base of whatever handles messages: Textual would stop it, and the program, at the first exception."""

    async def _dispatch_message(self, message: Message) -> None:
        try:
            await super()._dispatch_message(message)
        except Exception as error:
            app = self.app
            if not isinstance(app, Survivor):
                raise
            app.survive(error, self)
