"""Which file? A path to type, models opened last, and what lies in and below the folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from npuscope.model.brief import Names
from npuscope.places import expanded, is_file
from npuscope.tui.jobs import run_each
from npuscope.tui.screens.dialog import Dialog
from npuscope.tui.screens.open.finder import Finder
from npuscope.tui.screens.open.folder import FileEntry, folder_of
from npuscope.widgets.bars.entry import Entry
from npuscope.widgets.bars.key_bar import KeyHint
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.cells import left, right, shown
from npuscope.widgets.text.figures import bytes_
from npuscope.widgets.text.layer_names import names_of_few, shown_of
from npuscope.widgets.text.spans import Line, Span, line, quiet, strong, wrap

_NAME, _KIND, _SIZE = 38, 23, 9
"""Widths of the columns; in a narrow list the sizes give way, then what the files are."""


def _columns(width: int) -> tuple[int, int, int]:
    if width >= _NAME + _KIND + _SIZE:
        return _NAME, width - _NAME - _SIZE, _SIZE
    if width >= _NAME + _KIND // 2:
        return width - _KIND, _KIND, 0
    return width, 0, 0


def one_slash(path: str) -> str:
    """Without the slashes that follow one."""
    return re.sub("//+", "/", path)


def _heading(width: int) -> Line:
    name, kind, size = _columns(width)
    return line(Span(left("name", name) + left("what", kind) + right("size", size), "title"))


class OpenScreen(Dialog[str]):
    """Ends with the path of a file. Says why the last one could not be opened."""

    DEFAULT_CSS = """
    OpenScreen > #box { width: 84; }
    OpenScreen #reason { height: auto; max-height: 6; margin: 1 1 0 1; }
    OpenScreen Entry { margin: 1 1 0 1; }
    OpenScreen Choices { height: 14; margin: 1 1 1 1; }
    """

    # The arrows belong to the list while the input has the keys.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "choose(-1)", show=False, priority=True),
        Binding("down", "choose(1)", show=False, priority=True),
        Binding("pageup", "choose(-10)", show=False, priority=True),
        Binding("pagedown", "choose(10)", show=False, priority=True),
        Binding("tab", "complete", show=False, priority=True),
        Binding("enter", "take", show=False, priority=True),
    ]
    HINTS = (
        KeyHint("↑↓", "choose", "screen.choose(1)"),
        KeyHint("a-z", "find", "screen.none"),
        KeyHint("Tab", "into the path", "screen.complete"),
        KeyHint("Enter", "open", "screen.take"),
        KeyHint("Esc", "back", "screen.leave"),
    )

    def __init__(self, start: str, reason: str = "", opened: Path | None = None) -> None:
        super().__init__()
        self._start = start
        self._finder = Finder(start, opened)
        self._reason = reason
        self._entries: list[FileEntry] = []
        self._listed_for: str | None = None
        self._all_listed = False
        """What lies below the folder is there too."""
        self._take_when_listed = False

    def heading(self) -> tuple[Line, Line]:
        """What is asked."""
        return line(strong("Open")), line(quiet("a quantized ONNX file, or what ST's tools wrote"))

    def content(self) -> Iterable[Widget]:
        """Reason, path, list."""
        if self._reason:
            yield _Reason(self._reason_text, id="reason")
        yield Entry("", self._start, "letters of a name, or the path of a .onnx, a .tflite, a report, ...")
        yield Choices(heading=_heading(_NAME))

    def on_mount(self) -> None:
        """Type at once."""
        self.query_one(Input).focus()
        self.read_folder(self._start)

    def _reason_text(self, width: int) -> list[Line]:
        return list(wrap(line(Span("✗ ", "sw"), self._reason), width, 2))

    @on(Input.Changed)
    def _typed(self, message: Input.Changed) -> None:
        message.stop()
        if "//" in message.value:  # behind a folder a '/' stands already
            at = len(one_slash(message.value[: message.input.cursor_position]))
            message.input.value = one_slash(message.value)
            message.input.cursor_position = at
            return
        self.read_folder(message.value)

    def read_folder(self, typed: str) -> None:
        """Look for what is typed: at hand, then below the folder."""
        run_each(
            self,
            lambda job: self._finder.look(typed, job),
            lambda entries: self._listed(typed, entries),
            lambda: self._done(typed),
            group="folder",
        )

    def _listed(self, typed: str, listed: list[FileEntry]) -> None:
        if typed != self.query_one(Input).value:
            return
        more = self._listed_for == typed and self._entries
        self._entries, self._listed_for, self._all_listed = listed, typed, False
        first = next((i for i, entry in enumerate(listed) if not entry.folder), 0)
        named = not typed.endswith("/") and typed
        if more:
            self.lay_out()
        else:
            self._show(0 if named and listed else first if listed else -1)
        if self._take_when_listed and listed:
            self._take_when_listed = False
            self.action_take()

    def _done(self, typed: str) -> None:
        """All is listed that there is."""
        if typed == self.query_one(Input).value:
            self._all_listed = True
            self.lay_out()
            if self._take_when_listed:
                self._take_when_listed = False
                self.action_take()

    def lay_out(self) -> None:
        """The columns take the room there is."""
        self._show(self.query_one(Choices).cursor)

    def _show(self, cursor: int) -> None:
        choices = self.query_one(Choices)
        width = choices.line_width
        choices.head(_heading(width))
        if self._listed_for is not None:
            among = names_of_few(tuple(entry.name for entry in self._entries))
            lines = [_entry_line(entry, among, width) for entry in self._entries]
            none = "no folder, model or artefact of that name" if self._all_listed else "looking …"
            choices.show(lines or [line(quiet(none))], cursor)

    def on_click(self, event: events.Click) -> None:
        """The keys stay with the path."""
        self.query_one(Input).focus()

    @on(Choices.Chosen)
    def _row_chosen(self, message: Choices.Chosen) -> None:
        message.stop()
        self.action_take()

    def action_choose(self, step: int) -> None:
        """Move in the list."""
        choices = self.query_one(Choices)
        if self._entries:
            choices.move_to(min(max(choices.cursor + step, 0), len(self._entries) - 1))

    def action_complete(self) -> None:
        """Put the chosen name into the path."""
        if (entry := self._chosen_entry) is not None:
            self._type(entry)

    def action_take(self) -> None:
        """Open a file or go into a folder."""
        typed = self.query_one(Entry).value
        if typed != self._listed_for:
            self._take_when_listed = True
            return
        entry, named = self._chosen_entry, typed.strip()
        path = expanded(named)
        if entry is None and not self._all_listed and not is_file(path):
            self._take_when_listed = True
        elif named and (entry is None or is_file(path)):
            self.dismiss(str(path))
        elif entry is not None and entry.folder:
            self._type(entry)
        elif entry is not None:
            self.dismiss(str(entry.path))

    @property
    def _chosen_entry(self) -> FileEntry | None:
        index = self.query_one(Choices).cursor
        return self._entries[index] if 0 <= index < len(self._entries) else None

    def _type(self, entry: FileEntry) -> None:
        field = self.query_one(Input)
        text = str(entry.path)
        field.value = (text if text.endswith("/") else text + "/") if entry.folder else text
        field.cursor_position = len(field.value)


def _entry_line(entry: FileEntry, among: Names, width: int) -> Line:
    name, kind, size = _columns(width)
    if entry.folder:
        room = name if entry.kind and kind else name + kind
        label = Span(left(shown_of(among, entry.name, room - 2) + "/", room), "accent")
        return line(label, quiet(shown(entry.kind, kind) if room == name else ""))
    what = Span(
        left(shown(entry.kind, kind - 1) if kind else "", kind), "text" if entry.kind == "model" else "quiet"
    )
    return line(
        left(shown_of(among, entry.name, name - 1), name),
        what,
        quiet(right(bytes_(entry.size) if size else "", size)),
    )


def start_of(path: str | None) -> str:
    """What the path starts as: the folder of a file that could not be opened, else the present one."""
    folder = folder_of(path) if path else Path.cwd()
    text = str(folder)
    return text if text.endswith("/") else text + "/"


class _Reason(Page, can_focus=False):
    """Why the last file could not be opened."""
