"""Views: the screens that show more of the model, or of the layer that is selected."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from npuscope.tui.screens.main.screen import MainScreen
    from npuscope.widgets.lists.epoch_rows import Schedule

# Screens are imported where they are shown: the first paint needs none.


class Views:
    """Shows them over the main screen, which goes to the layer they end with."""

    def __init__(self, main: MainScreen) -> None:
        self._main = main

    @property
    def _ready(self) -> bool:
        """There is an analysis to show; says so where it still goes on."""
        snapshot = self._main.snapshot
        if snapshot.draft:
            self._main.show_message("Still computing; you can browse the layers meanwhile.")
        return bool(snapshot.layers) and not snapshot.draft

    @property
    def schedules(self) -> tuple[Schedule, ...]:
        """The epochs as predicted, and as the tools made them where that is known."""
        from npuscope.widgets.lists.epoch_rows import actual_schedule, predicted_schedule

        schedules = [predicted_schedule(self._main.snapshot)] if self._ready else []
        comparison = self._main.document.comparison
        if comparison is not None and comparison.epochs:
            schedules.append(actual_schedule(comparison))
        return tuple(schedules)

    def epochs(self) -> None:
        """The sequence of epochs."""
        from npuscope.tui.screens.epochs.screen import EpochsScreen

        schedules = self.schedules
        if schedules:
            here = self._main.report.name if self._main.report else None
            self._main.app.push_screen(EpochsScreen(schedules, here), self._main.go_to_choice)

    def reasons(self) -> None:
        """Reasons, with the layers each holds for."""
        from npuscope.tui.screens.reasons.screen import ReasonsScreen

        if self._ready:
            report = self._main.report
            code = report.findings[0].code if report is not None and report.findings else ""
            self._main.app.push_screen(ReasonsScreen(self._main.snapshot, code), self._main.go_to_choice)

    def rules(self) -> None:
        """The rules behind the eligibility pane, in full."""
        from npuscope.tui.screens.rule.screen import RuleScreen

        if not self._ready:
            return
        codes = list(dict.fromkeys(f.code for report in self._main.selection.layers for f in report.findings))
        if codes:
            self._main.app.push_screen(RuleScreen(codes))
        elif self._main.selection.layers:
            self._main.show_message("No rule applies to it.")

    def layers(self, by: str = "") -> None:
        """All layers in a table, sorted by the column of a name."""
        from npuscope.tui.screens.layers.screen import LayersScreen

        if self._ready:
            screen = LayersScreen(self._main.snapshot, by, self._main.trace)
            self._main.app.push_screen(screen, self._main.go_to_choice)

    def blocks(self) -> None:
        """The model as blocks with the edges between them."""
        from npuscope.tui.screens.blocks.screen import BlocksScreen

        if self._ready:
            here = self._main.report.name if self._main.report is not None else None
            self._main.app.push_screen(
                BlocksScreen(self._main.snapshot, self._main.app.size.height, here, self._main.trace),
                self._main.jump,
            )

    def bounds(self) -> None:
        """What sets the model's time."""
        from npuscope.tui.screens.bounds.screen import BoundsScreen

        if self._ready:
            self._main.app.push_screen(BoundsScreen(self._main.snapshot), self._main.go_to_choice)

    def channels(self) -> None:
        """What the selected layer would take with other channel counts."""
        from npuscope.planning.channels import shape_of
        from npuscope.tui.screens.channels.screen import ChannelsScreen

        report = self._main.report
        if not self._ready:
            return
        if report is None:
            self._main.show_message("Channel counts belong to a layer: select one.")
        elif shape_of(report.layer, True) is not None:
            self._main.app.push_screen(ChannelsScreen(self._main.snapshot, report.layer))
        else:
            self._main.show_message(
                f"{report.name} is not a plain integer convolution; only those can be varied here."
            )

    def scales(self) -> None:
        """The per-channel scales of the selected layer."""
        from npuscope.tui.screens.scales.screen import ScalesScreen
        from npuscope.widgets.panes.quantization import has_scales

        report = self._main.report
        if report is None:
            self._main.show_message("Scales belong to a layer: select one.")
        elif has_scales(report.layer):
            self._main.app.push_screen(ScalesScreen(self._main.snapshot, report))
        else:
            self._main.show_message(f"{report.name} has one scale per tensor; the pane shows them.")
