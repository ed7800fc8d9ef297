"""SurvivingApp: no key, and no error of ours, ends the program."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections import deque
from collections.abc import Mapping
from time import monotonic
from typing import Any, ClassVar

from rich.text import Text
from textual import events
from textual.actions import ActionParseResult
from textual.app import App, ScreenStackError
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.dom import DOMNode, NoScreen
from textual.driver import Driver
from textual.geometry import Size
from textual.message_pump import MessagePump
from textual.notifications import SeverityLevel
from textual.widget import AwaitMount
from textual.worker import WorkerFailed

from npuscope.model.names import printable
from npuscope.tui import key_priority
from npuscope.widgets.guarded import Guarded

READY_WITHIN = 2.0
"""Seconds a key waits at most for a screen that is being set up."""

MOST_SCREENS = 16
"""Screens that lie one on another: each is drawn through those above it, and some fifty would be too deep for Python."""

MOST_FAULTS, FAULT_SECONDS = 40, 10.0
"""So many errors within so many seconds: it is not a key but a picture that cannot be drawn, and the program ends."""


class SurvivingApp(Guarded, App[int]):
    """The base of the application.

    1. Keys, pastes and the mouse wait until the top screen can be queried, a key until the one before has done its work:
       of a burst such as "/Gemm" the letters belong to the line that the slash opens.
    2. An error in a handler, an action, a timer or a worker is shown, logged and survived.
    3. What comes too late, for a screen that is left, is dropped without a word.
    """

    def __init__(self) -> None:
        super().__init__()
        self.faults: deque[tuple[float, Exception]] = deque(maxlen=MOST_FAULTS)
        """When what went wrong, newest last."""
        self._up = False
        self._warned_until = 0.0
        self._held: deque[events.Event] = deque()
        """Keys and pastes that wait for the one at work."""
        self._at_work = False
        self._told_size: Size | None = None
        """What the terminal was told of last."""
        self._let_go: events.Event | None = None
        """The one of them that is on its way again."""

    # -- what the user sees of it

    def show_message(self, text: str, severity: SeverityLevel = "information") -> None:
        """Say something for a few seconds, in place of what was said before; a warning stays its time."""
        timeout = 3 if severity == "information" else 8
        now = monotonic()
        if now >= self._warned_until:
            self.clear_notifications()
        if severity != "information":
            self._warned_until = now + timeout
        self.notify(printable(text), severity=severity, timeout=timeout, markup=False)

    def forget_messages(self) -> None:
        """What was said no longer holds."""
        self._warned_until = 0.0
        self.clear_notifications()

    @property
    def has_unexported(self) -> bool:
        """Whether edits would be lost."""
        return False

    # -- the keyboard

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+l", "redraw", show=False, priority=True)]

    def action_redraw(self) -> None:
        """Send the whole screen again: another program may have written on it."""
        forget = getattr(self._driver, "forget", None)
        if forget is not None:
            forget()
        self.screen.refresh()

    def get_driver_class(self) -> type[Driver]:
        """Where Textual would take its driver for Unix terminals, ours, which reads any byte."""
        base = super().get_driver_class()
        if base.__name__ != "LinuxDriver":
            return base
        from npuscope.tui.driver import Terminal

        return Terminal

    async def on_event(self, event: events.Event) -> None:
        """Let what the user does wait for the screen it is meant for; of a new size the terminal is told first."""
        if isinstance(event, events.Resize) and event.size != self._told_size:
            self._told_size = event.size
            if (resized := getattr(self._driver, "resized", None)) is not None:
                resized(event.size.width)
        if not isinstance(event, (events.InputEvent, events.Paste)) or event.is_forwarded:
            await super().on_event(event)
            return
        key_priority.key_pressed()
        in_turn = isinstance(event, (events.Key, events.Paste))
        if in_turn and self._at_work and event is not self._let_go:
            self._held.append(event)
            return
        await self.screen_ready()
        self._catch_up(event)
        goes_to = self.focused or (self.screen_stack[-1] if self.screen_stack else None)
        if not in_turn:
            await super().on_event(event)
            return
        self._at_work, self._let_go = True, None
        try:
            await super().on_event(event)
        finally:
            self._turn = asyncio.create_task(self._until_done(goes_to))

    def _catch_up(self, event: events.Event) -> None:
        catch_up = getattr(self.screen_stack[-1], "catch_up", None) if self.screen_stack else None
        if catch_up is not None and isinstance(event, (events.Key, events.MouseDown)):
            catch_up(event.key if isinstance(event, events.Key) else "")

    async def _until_done(self, pump: MessagePump | None) -> None:
        """Wait until what got a key, and all it was passed on to, has dealt with it; then the next one has its turn."""
        until = monotonic() + READY_WITHIN
        try:
            while pump is not None and pump is not self:
                await self._passed(pump, until)
                pump = pump._parent
            await self._passed(self, until)  # what the key stands for is done
            await self.screen_ready()
            if self.screen_stack:
                await self._passed(self.screen_stack[-1], until)
            await self._passed(self, until)  # the focus that was asked for is given
        finally:
            self._let_go = self._held.popleft() if self._held else None
            self._at_work = self._let_go is not None and self.post_message(self._let_go)

    async def _passed(self, pump: MessagePump, until: float) -> None:
        """Wait until a queue has come to where it ends now."""
        reached = asyncio.Event()

        async def reach() -> None:
            reached.set()

        if pump.is_running and pump.call_later(reach):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reached.wait(), max(0.0, until - monotonic()))

    async def screen_ready(self) -> None:
        """Wait until the screen on top can be queried."""
        until = monotonic() + READY_WITHIN
        while not self._exit and monotonic() < until:
            if not self.screen_stack or self.screen_stack[-1].is_mounted:
                return
            await asyncio.sleep(0.002)

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Do what a key stands for, or say why it cannot be done yet; an error in it is survived."""
        reason = getattr(self.screen, "refusal", str)(action if isinstance(action, str) else "")
        if reason:
            self.show_message(reason)
            return True
        try:
            return await super().run_action(action, default_namespace, namespaces)
        except Exception as error:  # noqa: BLE001 - survive() decides
            self.survive(error, default_namespace or self)
            return True

    def push_screen(
        self, screen: Any, callback: Any = None, wait_for_dismiss: bool = False, *, mode: str | None = None
    ) -> Any:
        """Lay a screen over the others; where too many lie there already, it is as if it had been left at once.

        What was said of the screen below goes, as it would cover the last lines of this one; a warning stays its time.
        """
        if monotonic() >= self._warned_until:
            self.clear_notifications()
        if len(self.screen_stack) < MOST_SCREENS:
            below = self.screen_stack[-1] if self.screen_stack else None
            changed = below is not None and below._repaint_required
            # Which of its two forms is meant is for the caller to know.
            pushed = super().push_screen(screen, callback, wait_for_dismiss, mode=mode)  # type: ignore[call-overload]
            if below is not None:
                below._repaint_required = changed  # Textual would draw it once more, as it was
            return pushed
        self.show_message(f"{MOST_SCREENS} screens lie on one another: leave some first (Esc).", "warning")
        if callback is not None:
            self.call_later(callback, None)
        return AwaitMount(self.screen, [])

    # -- errors

    def on_ready(self) -> None:
        """From now on there is a screen to tell of errors on, and a terminal to leave as it was."""
        self._up = True
        loop = asyncio.get_running_loop()
        # Neither on Windows nor in a thread.
        with contextlib.suppress(AttributeError, NotImplementedError, RuntimeError, ValueError):
            for number in (signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves it
                    loop.add_signal_handler(number, self._ended_from_outside, loop, number)

    def _ended_from_outside(self, loop: asyncio.AbstractEventLoop, number: int) -> None:
        """The first signal leaves as a user would; a second one ends the process as it stands."""
        loop.remove_signal_handler(number)
        self.exit(return_code=128 + number)

    def survive(self, error: Exception, pump: MessagePump) -> None:
        """Show and log an error, and go on; end where errors come without end, or nothing is on the screen yet."""
        if self._too_late(error, pump):
            return
        now = monotonic()
        first = self.faults[0][0] if len(self.faults) == MOST_FAULTS else None
        self.faults.append((now, error))
        if not self._up or "debug" in self.features or (first is not None and now - first < FAULT_SECONDS):
            super()._handle_exception(error)
            return
        from npuscope.tui.crash import notice

        self.show_message(notice(error), "error")

    def _too_late(self, error: Exception, pump: MessagePump) -> bool:
        """Whether it only says that something is not on the screen any more."""
        if isinstance(error, WorkerFailed):
            # Textual's palette looks for its list from a worker, which may run before the list or after it.
            return isinstance(error.error, (NoMatches, NoScreen, ScreenStackError))
        if _is_late_click(error):
            return True
        if not isinstance(error, (NoMatches, NoScreen, ScreenStackError)):
            return False
        if self._exit or not pump.is_attached:
            return True
        screen = pump.screen if isinstance(pump, DOMNode) and pump is not self else None
        return bool(getattr(screen, "left", False))

    def _handle_exception(self, error: Exception) -> None:
        """Textual's end of the program: timers, workers and drawing come here."""
        if self._up and not self._exit:
            self.survive(error, _raised_in(error) or self)
        elif not self._exit:
            super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """One line of what went wrong in place of Textual's pages, which are for those who work on npuscope."""
        error = sys.exc_info()[1]
        if error is None or "debug" in self.features:
            super()._fatal_error()
            return
        from npuscope.tui.crash import last_words

        self.panic(Text(last_words(error, self.has_unexported)))


_LATE = {("textual.widgets._option_list", IndexError), ("textual.screen", AttributeError)}
"""Where a click goes wrong: on a row of the palette that its list no longer has (Textual takes the number from the
picture), and on a widget that was just taken out of its parent."""


def _raised_in(error: Exception) -> MessagePump | None:
    """What ran the callback that raised it; None where that is not known."""
    outermost = error.__traceback__
    pump = outermost.tb_frame.f_locals.get("self") if outermost is not None else None
    return pump if isinstance(pump, MessagePump) else None


def _is_late_click(error: Exception) -> bool:
    """The mouse met what is drawn, but not there any more."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None or last.tb_frame.f_code.co_name not in ("_on_click", "_forward_event"):
        return False
    return (last.tb_frame.f_globals.get("__name__"), type(error)) in _LATE
