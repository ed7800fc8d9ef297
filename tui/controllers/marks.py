"""Marks: letters that stand for layers while a model is open. Kept by name: an undone edit brings them back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from npuscope.tui.app import Npuscope


class Marks:
    """Sets marks and goes to them, by a screen that lists them."""

    def __init__(self, app: Npuscope) -> None:
        self._app, self._document = app, app.document

    def mark(self) -> None:
        """Mark the layer under the cursor with the letter that is typed next."""
        from npuscope.tui.screens.marks.screen import MarksScreen

        document, name = self._document, self._app.graph_tree.layer_name
        if document.session is None:
            return
        if name is None:
            self._app.show_message("Only a layer can be marked; the cursor is on none.")
            return

        def chosen(letter: str | None) -> None:
            if letter is not None:
                document.marks[letter] = name
                self._app.show_message(f"{name} is marked {letter}.")

        self._app.push_screen(MarksScreen(document.marks, document.snapshot, name), chosen)

    def go(self) -> None:
        """Go to the layer of the letter that is typed next."""
        from npuscope.tui.screens.marks.screen import MarksScreen

        document = self._document
        if document.session is None:
            return
        if document.marks:
            self._app.push_screen(MarksScreen(document.marks, document.snapshot), self._go_to)
        else:
            self._app.show_message("No marks yet: mark a layer first.")

    def _go_to(self, letter: str | None) -> None:
        name = self._document.marks.get(letter or "")
        if name is None:
            return
        if name in self._document.snapshot.by_name:
            self._app.main.jump(name)
        else:
            self._app.show_message(f"{name} is not in the edited model; undo brings it back.", "warning")
