"""The application: what each key does."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING

from textual import on, work
from textual.worker import get_current_worker

from npuscope.edits.edit import Edit, Refusal
from npuscope.machine.machine import Target, target_of
from npuscope.model.errors import ModelError
from npuscope.services.builds import BuildOptions
from npuscope.session import Session
from npuscope.themes import THEMES
from npuscope.tui.artefacts import Artefacts
from npuscope.tui.keeping import RECIPE_SUFFIX
from npuscope.tui.messages import Calibrating, Made, NotOpened
from npuscope.tui.screens.quit.screen import Leave, QuitScreen
from npuscope.tui.views import Views
from npuscope.tui.writing import Writing
from npuscope.widgets.bars.search_bar import SearchBar
from npuscope.widgets.panes.details import Details
from npuscope.widgets.panes.quantization import has_scales
from npuscope.widgets.text.spans import plain, safe
from npuscope.widgets.text.words import plural

if TYPE_CHECKING:
    from npuscope.tui.screens.plan.screen import Chosen

# Screens, and the edits behind them, are imported by the action that shows them: the first paint needs none.

COPY_WIDTH = 100
"""Cells a line of copied text takes at most."""

STARTED = 1.0
"""Seconds after which garbage is collected."""

CALIBRATION_SAMPLES = 8
"""Random inputs from which partial sums get their scales, as `npuscope split` does it."""


class Npuscope(Artefacts, Views, Writing):
    """The explorer with its commands."""

    def on_mount(self) -> None:
        """Open the file, or ask for one."""
        self.set_timer(STARTED, _collect)
        if self.path is None:
            self.ask_for_file()
        else:
            self.open(self.path)

    # -- opening and leaving

    @on(NotOpened)
    def _not_opened(self, message: NotOpened) -> None:
        self.say()
        self.ask_for_file(message.reason, message.path)

    def action_open_file(self) -> None:
        """Choose another model; ask where edits would be lost."""
        self._unless_unexported("open another", self.ask_for_file)

    def ask_for_file(self, reason: str = "", path: str | None = None) -> None:
        """Show the file picker, with the reason why the last file could not be opened."""
        from npuscope.tui.screens.open.screen import OpenScreen, start_of

        beside = path or (str(self.session.source.path) if self.session is not None else self.path)

        def chosen(found: str | None) -> None:
            if found is not None and found.endswith(RECIPE_SUFFIX):
                if self.session is not None:
                    self.use_recipe(found, self.session)
                else:
                    self.ask_for_file(f"{found} is a recipe; open the model it was made for first")
            elif found is not None:
                self.inputs = None
                self.open(found)

        self.push_screen(OpenScreen(start_of(beside), reason), chosen)

    async def action_quit(self) -> None:
        """Quit; ask where edits would be lost. Asked for again while it asks, it quits."""
        if isinstance(self.screen, QuitScreen):
            self.exit(0)
        else:
            self._unless_unexported("quit", lambda: self.exit(0))

    def _unless_unexported(self, verb: str, go_on: Callable[[], object]) -> None:
        session = self.session
        if session is None or not session.unexported:
            go_on()
            return

        def chosen(leave: Leave | None) -> None:
            if leave is Leave.DROP:
                self.drop()
                go_on()
            elif leave is Leave.EXPORT:
                self.export(then=go_on)

        self.push_screen(QuitScreen(tuple(edit.describe() for edit in session.done), verb), chosen)

    # -- moving

    def action_off_npu(self, step: int) -> None:
        """To the next or previous layer that is not on the NPU."""
        tree = self.graph_tree
        name = tree.next_off_npu(step)
        if name is not None:
            tree.go_to_layer(name)
        elif self.session is not None:
            self.tell("Every layer is on the NPU.")

    def action_pane(self, index: int) -> None:
        """Bring a pane into view."""
        tiny = self.screen.has_class("-tiny")
        if tiny:
            self.screen.add_class("-details")
        self.query_one(Details).show(index, focus=tiny)

    def action_to_tree(self) -> None:
        """The keys go to the tree again; a calibration that runs is given up."""
        self.screen.remove_class("-details")
        super().action_to_tree()
        self.graph_tree.focus()
        if any(worker.group == "edit" and worker.is_running for worker in self.workers):
            self.workers.cancel_group(self, "edit")
            self.say()
            self.tell("Stopped: nothing was changed.")

    # -- searching

    def action_search(self) -> None:
        """Start a search from where the cursor is."""
        self._before_search = self.graph_tree.row.key if self.graph_tree.row is not None else None
        self.query_one(SearchBar).open()

    @on(SearchBar.Typed)
    def _search_typed(self, message: SearchBar.Typed) -> None:
        self.query_text = message.query.strip()
        self._go_to_found(0)

    @on(SearchBar.Stepped)
    def _search_stepped(self, message: SearchBar.Stepped) -> None:
        self._go_to_found(message.step)

    def _go_to_found(self, step: int) -> None:
        """The first layer found from the cursor on, or one before or after the present one."""
        tree, bar = self.graph_tree, self.query_one(SearchBar)
        names = tree.found(self.query_text)
        if not names:
            bar.show_found(0, 0)
            return
        position = tree.outline.position
        here = position.get(tree.layer_name or "", -1)
        if step < 0:
            at = max((i for i, name in enumerate(names) if position[name] < here), default=len(names) - 1)
        else:
            ahead = here + (1 if step else 0)
            at = next((i for i, name in enumerate(names) if position[name] >= ahead), 0)
        tree.go_to_layer(names[at])
        bar.show_found(at, len(names))

    @on(SearchBar.Left)
    def _search_left(self, message: SearchBar.Left) -> None:
        self.query_one(SearchBar).close()
        self.query_text = ""
        if not message.keep and self._before_search is not None:
            self.graph_tree.go_to_key(self._before_search)
        self.graph_tree.focus()

    # -- editing

    def action_split(self) -> None:
        """Show the split screen for the selected layer."""
        from npuscope.edits.toolkit.weighted import weighted
        from npuscope.tui.screens.split.screen import Channels, SplitScreen

        session, report = self.session, self.report
        if session is None or report is None:
            return
        whole = weighted(session.graph, session.layers, report.name)
        if isinstance(whole, Refusal):
            self.tell(str(whole), "warning")
            return

        def chosen(edit: Edit | None) -> None:
            if edit is not None:
                self.apply([edit], edit.describe())

        there = Channels(whole.in_channels, whole.out_channels)
        self.push_screen(SplitScreen(session, self.snapshot, report, there, self.inputs), chosen)

    def apply(self, edits: Sequence[Edit], text: str) -> None:
        """Make edits; those that take scales for partial sums get them from runs of the model first."""
        from npuscope.numbers.calibrate_all import takes_scales

        if self.session is None or not edits:
            return
        given = self.inputs is not None
        if len(edits) == 1 and not takes_scales(edits[0], given):
            self.make(edits[0])
        else:
            self.say(
                busy="calibrating …" if any(takes_scales(edit, given) for edit in edits) else "applying …"
            )
            self.make_in_thread(self.session, tuple(edits), text)

    @work(thread=True, exclusive=True, group="edit", description="make in thread")
    def make_in_thread(self, session: Session, edits: tuple[Edit, ...], text: str) -> None:
        """Calibrate and make edits."""
        from npuscope.jobs import Job, StoppedError
        from npuscope.services.apply import Applied, Calibration, apply_edits
        from npuscope.tui.jobs import PROGRESS_EVERY

        worker, last = get_current_worker(), 0.0

        def reporting(what: str) -> Callable[[int, int], None]:
            def progressed(done: int, total: int) -> None:
                nonlocal last
                if not worker.is_cancelled and monotonic() - last >= PROGRESS_EVERY:
                    last = monotonic()
                    self.post_message(Calibrating(done, total, what))

            return progressed

        try:
            applied = apply_edits(
                session,
                edits,
                Calibration(self.inputs, CALIBRATION_SAMPLES),
                Job(reporting("calibrating"), lambda: worker.is_cancelled),
                reporting("applying"),
            )
        except ModelError as error:
            applied = Applied(Refusal(str(error)))
        except StoppedError:
            return
        if not worker.is_cancelled:
            self.post_message(Made(session, applied.session, text, applied.warning))

    @on(Calibrating)
    def _calibrating(self, message: Calibrating) -> None:
        self.say(busy=f"{message.what} {message.done} of {message.total}")

    @on(Made)
    def _made(self, message: Made) -> None:
        if message.before is not self.session:
            return
        if message.note:
            self.tell(message.note, "warning")
        if isinstance(message.after, Refusal):
            self.say()
            self.tell(str(message.after), "warning")
        else:
            self.become(message.after, message.text)

    def action_plan(self) -> None:
        """Look for edits for the whole model."""
        from npuscope.tui.screens.plan.screen import PlanScreen

        session = self.session
        if session is None or not self.snapshot.layers:
            return

        def chosen(found: Chosen | None) -> None:
            if found is not None:
                edits = [found.plan.steps[index].edit for index in found.taken]
                self.apply(edits, f"plan of {plural(len(edits), 'edit')}")

        self.push_screen(PlanScreen(session, self.snapshot), chosen)

    def action_undo(self) -> None:
        """Take the last edit back."""
        if self.session is not None and self.session.done:
            edit = self.session.done[-1]
            self.become(self.session.undo(), f"undone: {edit.describe()}")

    def action_redo(self) -> None:
        """Make the edit undone last again."""
        if self.session is not None and self.session.undone:
            edit = self.session.undone[-1]
            self.become(self.session.redo(), f"redone: {edit.describe()}")

    # -- looking closer

    def action_scales(self) -> None:
        """The per-channel scales of the selected layer."""
        from npuscope.tui.screens.scales.screen import ScalesScreen

        report = self.report
        if report is None:
            return
        if has_scales(report.layer):
            self.push_screen(ScalesScreen(report))
        else:
            self.tell(f"{report.name} has one scale per tensor; the pane shows them.")

    def action_copy(self) -> None:
        """What the panes say, as text, into the terminal's clipboard."""
        selection = self.selection
        if not selection.layers:
            return
        pages = [pane.lines(selection, COPY_WIDTH) for pane in self.query_one(Details).panes]
        text = "\n\n".join("\n".join(safe(plain(line)) for line in page) for page in pages)
        self.copy_to_clipboard(text)
        self.tell(f"Copied: what the panes say of {selection.title}.")

    def action_toolchain(self) -> None:
        """Judge for another version."""
        from npuscope.tui.screens.toolchain.screen import ToolchainScreen

        session = self.session
        if session is None:
            return

        def chosen(found: Target | None) -> None:
            if found is not None and self.session is not None and found is not self.session.target:
                self.target = found
                self.become(self.session.with_target(found))

        self.push_screen(ToolchainScreen(session), chosen)

    def action_theme(self) -> None:
        """The next of our themes."""
        names = [theme.name for theme in THEMES]
        here = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(here + 1) % len(names)]
        self.tell(f"Theme: {self.theme.removeprefix('npuscope-')}")

    def action_help(self) -> None:
        """Keys, signs and words."""
        from npuscope.tui.screens.help.screen import HelpScreen

        self.push_screen(HelpScreen())


def _collect() -> None:
    gc.freeze()
    gc.enable()


def run(
    paths: Sequence[str],
    asked: BuildOptions,
    recipe: str | None = None,
    inputs: str | None = None,
) -> int:
    """Run the application; the process's exit status. Raises ModelError for a build that is not known.

    What is not `asked` for is what the artefacts among the files state, else the default.
    """
    judged_for = target_of(asked.build())
    app = Npuscope(paths[0] if paths else None, judged_for, paths[1:])
    app.asked = asked
    app.recipe, app.inputs = recipe, inputs
    # What is made until the model is on the screen stays: looking for garbage there only delays the first paint.
    gc.disable()
    app.run()
    return app.return_code or 0
