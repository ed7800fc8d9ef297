"""Keys that explain: epochs, reasons, rules, and the filter of the tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on

from npuscope.tui.explorer import Explorer
from npuscope.tui.messages import Opened
from npuscope.widgets.lists.layer_filter import LayerFilter
from npuscope.widgets.text.words import plural

if TYPE_CHECKING:
    from npuscope.widgets.lists.epoch_rows import Schedule


class Reading(Explorer):
    """The explorer with what explains a model."""

    @property
    def schedules(self) -> tuple[Schedule, ...]:
        """The epochs as predicted, and as the tools made them where that is known."""
        from npuscope.widgets.lists.epoch_rows import actual_schedule, predicted_schedule

        found = [predicted_schedule(self.snapshot)] if self.snapshot.layers else []
        if self.comparison is not None and self.comparison.epochs:
            found.append(actual_schedule(self.comparison))
        return tuple(found)

    def action_epochs(self) -> None:
        """The sequence of epochs."""
        from npuscope.tui.screens.epochs.screen import EpochsScreen

        schedules = self.schedules
        if not schedules:
            return

        def chosen(name: str | None) -> None:
            if name is not None:
                self.go_to(name)

        self.push_screen(EpochsScreen(schedules, self.report.name if self.report else None), chosen)

    def action_reasons(self) -> None:
        """Reasons, with the layers each holds for."""
        from npuscope.tui.screens.reasons.screen import ReasonsScreen

        if not self.snapshot.layers:
            return
        report = self.report
        code = report.findings[0].code if report is not None and report.findings else ""

        def chosen(found: LayerFilter | str | None) -> None:
            if isinstance(found, LayerFilter):
                self.show_only(found)
            elif found is not None:
                self.go_to(found)

        self.push_screen(ReasonsScreen(self.snapshot, code), chosen)

    def action_rule(self) -> None:
        """The rules behind what the eligibility pane says, in full."""
        from npuscope.tui.screens.rule.screen import RuleScreen

        codes = list(dict.fromkeys(f.code for report in self.selection.layers for f in report.findings))
        if codes:
            self.push_screen(RuleScreen(codes))
        elif self.selection.layers:
            self.tell("No rule has anything to say of it.")

    # -- the filter

    def show_only(self, wanted: LayerFilter) -> None:
        """Show only some layers in the tree; n and N go through them."""
        self.only = wanted
        self.say()
        count = len(self.graph_tree.outline.order)
        self.tell(f"Only {plural(count, 'layer')}. n and N go through them, Backspace shows all.")

    def action_show_all(self) -> None:
        """Show all layers again."""
        if self.only is not None:
            self.only = None
            self.say()

    def go_to(self, name: str) -> None:
        """Put the cursor on a layer, out of the filter where it has to be."""
        if name not in self.snapshot.by_name:
            self.tell(f"{name} is no layer of the model.")
            return
        if name not in self.graph_tree.outline.position:
            self.action_show_all()
        self.graph_tree.go_to_layer(name)
        self.graph_tree.focus()

    def action_to_tree(self) -> None:
        """The keys go to the tree; there already, all layers are shown again."""
        if self.only is not None and self.graph_tree.has_focus:
            self.action_show_all()

    @on(Opened)
    def _all_of_the_new_one(self) -> None:
        self.only = None
