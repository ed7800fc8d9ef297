"""The application: it wires the document, its controllers and the screens."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.screen import Screen

from npuscope.edits.edit import Edit
from npuscope.machine.machine import Target
from npuscope.session import Session
from npuscope.snapshot import Snapshot
from npuscope.themes import THEMES
from npuscope.themes.variables import for_other
from npuscope.tui import garbage
from npuscope.tui.actions import ACTIONS, Action, with_keys
from npuscope.tui.controllers.accuracy_keeper import AccuracyKeeper
from npuscope.tui.controllers.comparer import Comparer
from npuscope.tui.controllers.compiler import Compiler
from npuscope.tui.controllers.edit_screens import EditScreens
from npuscope.tui.controllers.editor import Editor
from npuscope.tui.controllers.exporter import Exporter
from npuscope.tui.controllers.if_quantized import IfQuantized
from npuscope.tui.controllers.journal_keeper import JournalKeeper
from npuscope.tui.controllers.marks import Marks
from npuscope.tui.controllers.opener import Opener
from npuscope.tui.controllers.quantizer import Quantizer
from npuscope.tui.controllers.recipes import Recipes
from npuscope.tui.controllers.reloader import EVERY, Reloader
from npuscope.tui.controllers.target_screens import TargetScreens
from npuscope.tui.document import Document
from npuscope.tui.palette import ActionProvider, Palette, commands
from npuscope.tui.screens.main.screen import MainScreen
from npuscope.tui.survival import SurvivingApp
from npuscope.tui.terminal import AsciiFilter, ascii_only, first_theme
from npuscope.widgets.text import keys

if TYPE_CHECKING:
    from npuscope.neural_art.comparison.values import Comparison
    from npuscope.tui.screens.accuracy.screen import AccuracyScreen
    from npuscope.tui.screens.export.screen import ExportScreen
    from npuscope.tui.screens.quantize.screen import QuantizeScreen
    from npuscope.tui.screens.values.screen import ValuesScreen
    from npuscope.tui.screens.verify.screen import VerifyScreen
    from npuscope.widgets.lists.graph_tree import GraphTree
    from npuscope.widgets.panes.selection import Selection

# Screens are imported by the action that shows them: the first paint needs none.


class Npuscope(SurvivingApp):
    """The explorer.

    1. `document` is what is open; only the controllers change it.
    2. `main` shows it. Screens over it end with what the user chose, which the application hands to a controller.
    """

    TITLE = "npuscope"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS = {ActionProvider}  # noqa: RUF012 - as Textual has it
    BINDINGS: ClassVar[list[BindingType]] = [
        *(action.binding for action in ACTIONS),
        Binding("ctrl+c,ctrl+q", "quit", show=False, priority=True),
    ]

    def __init__(self, path: str | None, judged_for: Target, beside: Sequence[str] = ()) -> None:
        self._ascii = ascii_only(os.environ)
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        wanted = first_theme(os.environ, self.console.color_system)
        self.theme = wanted if wanted in self.available_themes else THEMES[0].name
        self.animation_level = "none"
        self._complaint = ""
        self.actions: tuple[Action, ...] = ACTIONS
        """What there is to do, with the keys the user gave them."""
        keys.use({})
        self.recipe: str | None = None
        """A recipe to make once the model is open."""
        self._beside = tuple(beside)
        self.document = Document(path, judged_for)
        self.main = MainScreen(self.document)
        self.editor = Editor(self)
        self.recipes = Recipes(self)
        self.journal = JournalKeeper(self)
        self.comparer = Comparer(self)
        self.compiler = Compiler(self)
        self.opener = Opener(self)
        self.exporter = Exporter(self)
        self.reloader = Reloader(self)
        self.edit_screens = EditScreens(self)
        self.if_quantized = IfQuantized(self)
        self.quantizer = Quantizer(self)
        self.accuracy = AccuracyKeeper(self)
        self.marks = Marks(self)
        self.targets = TargetScreens(self)

    # -- look

    def get_default_screen(self) -> Screen[object]:
        """The main screen."""
        return self.main

    def get_line_filters(self) -> Sequence[LineFilter]:
        """In a terminal without UTF-8 everything goes out in ASCII."""
        filters = super().get_line_filters()
        return [*filters, AsciiFilter()] if self._ascii else filters

    def use(self, theme: str, complaint: str) -> None:
        """Begin with the theme of the user's settings, and say what of them cannot be used."""
        name = next((n for n in (f"npuscope-{theme}", theme) if n in self.available_themes), "")
        if theme and not name:
            ours = ", ".join(one.name.removeprefix("npuscope-") for one in THEMES)
            complaint = complaint or f"settings.toml: there is no theme {theme!r}; ours are {ours}"
        if name and not os.environ.get("TEXTUAL_THEME"):
            self.theme = name
        self._complaint = complaint

    def use_keys(self, wanted: Mapping[str, object]) -> None:
        """Take the keys of the user's settings; those that cannot be had are said."""
        self.actions, complaint = with_keys(wanted)
        if complaint:
            self._complaint = (
                f"{self._complaint}; {complaint}" if self._complaint else f"settings.toml, keys: {complaint}"
            )
        changed = [(old, new) for old, new in zip(ACTIONS, self.actions, strict=True) if old is not new]
        self.set_keymap({new.word: new.keys for _, new in changed})
        keys.use({old.key: new.key for old, new in changed})

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our variables, for themes that are not ours."""
        return for_other(self.current_theme)

    def on_resize(self, event: events.Resize) -> None:
        """Choose the layout."""
        self.main.fit(event.size)

    # -- what is shown, for short

    @property
    def session(self) -> Session | None:
        """The model that is open, with its edits."""
        return self.document.session

    @property
    def snapshot(self) -> Snapshot:
        """Its newest analysis."""
        return self.document.snapshot

    @property
    def comparison(self) -> Comparison | None:
        """What became of artefacts and model."""
        return self.document.comparison

    @property
    def selection(self) -> Selection:
        """What the panes show."""
        return self.main.selection

    @property
    def graph_tree(self) -> GraphTree:
        """The graph."""
        return self.main.graph_tree

    @property
    def has_unexported(self) -> bool:
        """Whether edits would be lost."""
        return self.document.has_unexported

    # -- what happens

    async def on_mount(self) -> None:
        """Open the file, or ask for one."""
        await self.screen_ready()
        garbage.go_on_after(self, lambda: self.main.snapshot.draft)
        self.set_interval(EVERY, self.reloader.watch)
        if self._complaint:
            self.show_message(self._complaint, "warning")
        if self.document.path is None:
            self.opener.ask()
        else:
            self.opener.open(self.document.path, *self._beside)

    def on_ready(self) -> None:
        """The keys go to the tree."""
        super().on_ready()
        self.main.update_hints()
        if len(self.screen_stack) == 1:
            self.graph_tree.focus()

    def opened(self) -> None:
        """The document is another model."""
        session, recipe, self.recipe = self.document.session, self.recipe, None
        assert session is not None
        self.main.show_opened()
        self.comparer.model_opened()
        if recipe is not None:
            self.recipes.use(recipe, session)
        else:
            self.if_quantized.opened()
            # The first paint does not wait for a journal; there rarely is one.
            self.call_after_refresh(self.journal.look_back, session)

    def session_changed(self, session: Session) -> None:
        """The document has other edits, or another target; its analysis follows."""
        self.journal.keep(session)

    def analysed(self) -> None:
        """The document's analysis is up to date."""
        self.main.show_document()
        self.comparer.model_analysed()
        self.if_quantized.weigh()

    # -- files

    def open(self, path: str) -> None:
        """Read a file."""
        self.opener.open(path)

    def action_open_file(self) -> None:
        """Choose another model; ask where edits would be lost."""
        self.exporter.unless_unexported("open another", self.opener.ask)

    def action_reload(self) -> None:
        """Read the model's file again."""
        self.reloader.reload()

    async def action_quit(self) -> None:
        """Quit; ask where edits would be lost. Asked for again while it asks, it quits."""
        from npuscope.tui.screens.quit.screen import QuitScreen

        if isinstance(self.screen, QuitScreen):
            self.exit(0)
        else:
            self.exporter.unless_unexported("quit", lambda: self.exit(0))

    def action_export(self) -> None:
        """Write the edited model."""
        if self.if_quantized.refuses():
            return
        if self.session is not None and self.session.done:
            self.exporter.ask()
        elif self.session is not None:
            self.show_message("Nothing to export: no edits yet.")

    def on_export_screen_wanted(self, message: ExportScreen.Wanted) -> None:
        """Write it."""
        self.exporter.write(message)

    # -- edits

    def make(self, edit: Edit) -> None:
        """Make an edit, or say why it cannot be made."""
        self.editor.make(edit)

    def action_undo(self) -> None:
        """Take the last edit back."""
        self.editor.undo()

    def action_redo(self) -> None:
        """Make the edit undone last again."""
        self.editor.redo()

    def action_fixes(self) -> None:
        """Edits that help the selected layer, or the whole model where none is selected."""
        self.edit_screens.fixes()

    def action_split(self) -> None:
        """Split the selected layer."""
        self.edit_screens.split()

    def action_plan(self) -> None:
        """Look for edits for the whole model."""
        self.edit_screens.plan()

    def action_history(self) -> None:
        """The edits made so far."""
        self.edit_screens.history()

    def action_compare(self) -> None:
        """Before and after the edits."""
        self.edit_screens.compare()

    def action_cut(self) -> None:
        """The model in two."""
        if not self.if_quantized.refuses():
            self.edit_screens.cut()

    def action_verify(self) -> None:
        """Compare the edited model with the original."""
        if not self.if_quantized.refuses():
            self.edit_screens.verify()

    def on_verify_screen_inputs_wanted(self, message: VerifyScreen.InputsWanted) -> None:
        """Choose what it is compared on."""
        self.edit_screens.verify_on_inputs(message.screen)

    # -- from a float model

    def action_as_int8(self) -> None:
        """As if quantized, and back."""
        self.if_quantized.toggle()

    def action_quantize(self) -> None:
        """What each setting of a quantization gives."""
        self.quantizer.show()

    def on_quantize_screen_inputs_wanted(self, message: QuantizeScreen.InputsWanted) -> None:
        """Choose what it is calibrated on."""
        self.quantizer.on_inputs(message.screen)

    def action_accuracy(self) -> None:
        """What each layer loses against the float model."""
        if not self.if_quantized.refuses():
            self.accuracy.show()

    def action_values(self) -> None:
        """The values of the selected layer on their grids."""
        if not self.if_quantized.refuses():
            self.accuracy.show_values()

    def on_values_screen_inputs_wanted(self, message: ValuesScreen.InputsWanted) -> None:
        """Choose what the model runs on."""
        self.accuracy.on_inputs(message.screen)

    def on_accuracy_screen_measured(self, message: AccuracyScreen.Measured) -> None:
        """Keep it."""
        self.accuracy.measured(message)

    # -- the target

    def action_toolchain(self) -> None:
        """Judge for another version."""
        self.targets.toolchain()

    def action_build(self) -> None:
        """Judge for other build options."""
        self.targets.build()

    def action_memory(self) -> None:
        """Pools, activations over time, and what other memories or clocks would change."""
        self.targets.memory()

    def action_agreement(self) -> None:
        """What the tools did, beside the prediction."""
        self.comparer.show()

    def action_compile(self) -> None:
        """Export, compile with ST's compiler, compare."""
        if not self.if_quantized.refuses():
            self.compiler.compile()

    def action_difference(self) -> None:
        """The two models that were opened, side by side."""
        self.opener.show_difference()

    # -- the application itself

    def action_mark(self) -> None:
        """Mark the selected layer with a letter."""
        self.marks.mark()

    def action_marks(self) -> None:
        """Go to a layer by its letter."""
        self.marks.go()

    def action_to_tree(self) -> None:
        """The keys go to the tree again; a calibration that runs is given up."""
        self.main.to_tree()
        self.editor.stop()
        self.compiler.stop()

    def action_theme(self) -> None:
        """The next of our themes."""
        names = [theme.name for theme in THEMES]
        here = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(here + 1) % len(names)]
        self.show_message(f"Theme: {self.theme.removeprefix('npuscope-')}")

    def action_help(self) -> None:
        """Keys, signs and words."""
        from npuscope.tui.screens.help.screen import HelpScreen

        self.push_screen(HelpScreen())

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette offers what the keys do."""
        return commands(self, self.main, self.actions)

    def action_command_palette(self) -> None:
        """All actions by name."""
        if self.use_command_palette and not isinstance(self.screen, Palette):
            self.push_screen(Palette())  # no id: a dialog may hide another one
