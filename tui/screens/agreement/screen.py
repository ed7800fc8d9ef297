"""What ST's tools made of the model, from the files they wrote, beside what npuscope predicts."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.model.brief import Names
from npuscope.neural_art.comparison.statements import statements
from npuscope.neural_art.comparison.values import Comparison
from npuscope.tui.screens.epochs.screen import EpochsScreen
from npuscope.tui.screens.listing import Listing
from npuscope.tui.screens.rule.screen import RuleScreen
from npuscope.widgets.bars.key_bar import KeyHint
from npuscope.widgets.bars.tab_bar import TabBar
from npuscope.widgets.lists.agreement_rows import (
    about_layer,
    about_off,
    artefact_names,
    difference_line,
    difference_rows,
    differences_heading,
    off_heading,
    off_line,
    summary_lines,
)
from npuscope.widgets.lists.artefact_rows import (
    about_operator,
    about_statement,
    operator_heading,
    operator_line,
    operators,
    statement_heading,
    statement_line,
)
from npuscope.widgets.lists.epoch_rows import actual_schedule
from npuscope.widgets.lists.layer_filter import FilterBy, LayerFilter
from npuscope.widgets.lists.row_list import RowList
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.keys import keyed
from npuscope.widgets.text.spans import Line, Span, line, quiet, strong


class Tab(Enum):
    """The lists; their values are their titles."""

    DIFFERENCES = "differences"
    OFF_NPU = "off the NPU"
    OPERATORS = "operators"
    SAID = "in the files"


class AgreementScreen(Listing[LayerFilter | str]):
    """Ends with a filter for the tree, or with the layer to go to. Without a model it stands for itself."""

    DEFAULT_CSS = """
    AgreementScreen > #box { width: 120; height: auto; max-height: 48; }
    AgreementScreen TabBar { margin: 1 0; }
    AgreementScreen RowList { height: auto; max-height: 50%; margin: 0 1; }
    AgreementScreen #summary { height: auto; max-height: 7; margin: 1 0 0 1; }
    AgreementScreen #about { height: 1fr; margin: 1 0 0 1; }
    AgreementScreen.-short {
        & TabBar { margin: 0; }
        & #summary { max-height: 7; margin: 0 0 0 1; }
        & RowList { max-height: 40%; }
    }
    AgreementScreen.-long {
        & RowList { height: 1fr; max-height: 100%; }
        & #about { height: auto; max-height: 8; }
    }
    """

    ABOUT = "#about"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "other(1)", show=False, priority=True),
        Binding("shift+tab", "other(-1)", show=False, priority=True),
        Binding("1", "list(0)", show=False),
        Binding("2", "list(1)", show=False),
        Binding("3", "list(2)", show=False),
        Binding("4", "list(3)", show=False),
        Binding("f", "filter", show=False),
        Binding("x", "rule", show=False),
        Binding("i", "epochs", show=False),
        Binding("o", "open_model", show=False),
        Binding("a", "leave", show=False),
        Binding("q", "quit_or_leave", show=False),
    ]

    def __init__(self, comparison: Comparison, with_model: bool) -> None:
        super().__init__()
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]
        self.comparison = comparison
        self._with_model = with_model
        self._differences = difference_rows(comparison)
        self._among = Names(
            (*(one.layer.name for one in self._differences), *(e.layer or e.node for e in comparison.off_npu))
        )
        self._operators = operators(comparison)
        self._said = tuple(
            statement for artefact in comparison.artefacts for statement in statements(artefact)
        )
        self._operator_names = Names(operator.name for operator in self._operators)
        self._said_names = Names(statement.name for statement in self._said)
        self._lists = self._lists_shown()
        self._at = next((kind for kind in self._lists if self._sizes[kind]), self._lists[0])

    def _lists_shown(self) -> tuple[Tab, ...]:
        """What there is to list; differences need a model."""
        lists = [Tab.DIFFERENCES] if self._with_model else []
        if self._with_model or self.comparison.epochs or self.comparison.off_npu:
            lists.append(Tab.OFF_NPU)
        if self._operators:
            lists.append(Tab.OPERATORS)
        return (*lists, Tab.SAID)

    @property
    def _sizes(self) -> dict[Tab, int]:
        return {
            Tab.DIFFERENCES: len(self._differences),
            Tab.OFF_NPU: len(self.comparison.off_npu),
            Tab.OPERATORS: len(self._operators),
            Tab.SAID: len(self._said),
        }

    def heading(self) -> tuple[Line, Line]:
        """Which artefacts, which version."""
        comparison = self.comparison
        stated = "" if comparison.toolchain_stated else ", not stated"
        title = "What the tools did" if not self._with_model else "Agreement"
        about = f"{artefact_names(comparison, 44)} · Core {comparison.toolchain}{stated}"
        return line(strong(title)), line(quiet(about))

    def hints(self) -> tuple[KeyHint, ...]:
        """What can be done here."""
        hints = []
        if self._with_model:
            hints.append(KeyHint("Enter", "to the layer", "screen.take", 9, self.layer != ""))
            hints.append(KeyHint("f", "only these", "screen.filter", 7, bool(self._names)))
        if len(self._lists) > 1:
            hints.append(KeyHint("Tab", "next list", "screen.other(1)", 6))
        hints.append(KeyHint("x", "the rule", "screen.rule", 5, self._code != ""))
        hints.append(KeyHint("i", "epochs", "screen.epochs", 6, bool(self.comparison.epochs)))
        if not self._with_model:
            hints.append(KeyHint("o", "open the model", "screen.open_model", 8))
            hints.append(KeyHint("q", "quit", "screen.quit_or_leave", 8))
            return tuple(hints)
        return (*hints, KeyHint("Esc", "back", "screen.leave", 9))

    def content(self) -> Iterable[Widget]:
        """The whole, a list, the row under the cursor."""
        yield Page(lambda width: summary_lines(self.comparison, width), id="summary")
        yield TabBar(tuple(f"{kind.value} {self._sizes[kind]}" for kind in self._lists))
        yield RowList(self._line, self._heading)
        yield Page(self.about, id="about")

    def on_mount(self) -> None:
        """Start with what is wrong."""
        self.query_one(RowList).focus()
        self._show()

    @property
    def _count(self) -> int:
        return self._sizes[self._at]

    @property
    def layer(self) -> str:
        """The layer under the cursor, '' where none is known."""
        index = self.cursor
        if not 0 <= index < self._count or not self._with_model:
            return ""
        if self._at is Tab.DIFFERENCES:
            return self._differences[index].layer.name
        return self.comparison.off_npu[index].layer if self._at is Tab.OFF_NPU else ""

    @property
    def _code(self) -> str:
        index = self.cursor
        listed = self._at is Tab.OFF_NPU and 0 <= index < self._count
        return self.comparison.off_npu[index].code if listed else ""

    @property
    def _names(self) -> frozenset[str]:
        if self._at is Tab.DIFFERENCES:
            return frozenset(row.layer.name for row in self._differences)
        if self._at is Tab.OFF_NPU:
            return frozenset(entry.layer for entry in self.comparison.off_npu if entry.layer)
        return frozenset()

    def _show(self) -> None:
        self.query_one(TabBar).current = self._lists.index(self._at)
        self.set_class(self._at in (Tab.OPERATORS, Tab.SAID), "-long")
        self.show_rows(self._count)

    def _heading(self, width: int) -> Line:
        if not self._count:
            return ()
        if self._at is Tab.DIFFERENCES:
            return differences_heading(width)
        if self._at is Tab.OFF_NPU:
            return off_heading(width)
        if self._at is Tab.OPERATORS:
            return operator_heading(width, self._operators[0])
        return statement_heading(width)

    def _line(self, index: int, width: int) -> Line:
        if self._at is Tab.DIFFERENCES:
            return difference_line(self._differences[index], self._among, width)
        if self._at is Tab.OFF_NPU:
            return off_line(self.comparison.off_npu[index], self._among, width)
        if self._at is Tab.OPERATORS:
            return operator_line(self._operators[index], self._operator_names, width)
        return statement_line(self._said[index], self._said_names, width)

    def about(self, width: int) -> list[Line]:
        """What is behind the row under the cursor."""
        index = self.cursor
        if not 0 <= index < self._count:
            return [self._nothing()]
        if self._at is Tab.DIFFERENCES:
            return list(about_layer(self._differences[index].layer, width))
        if self._at is Tab.OPERATORS:
            return list(about_operator(self._operators[index], width))
        if self._at is Tab.SAID:
            return list(about_statement(self._said[index], width))
        lines = list(about_off(self.comparison.off_npu[index], width, self._with_model))
        if not self._with_model:
            lines.append(line(quiet("Open the model too (o), and each layer is compared with this.")))
        return lines

    def _nothing(self) -> Line:
        if self._at is Tab.DIFFERENCES:
            return line(Span("● ", "hw"), quiet("Prediction and tools agree."))
        if self._at is Tab.SAID:
            return line(quiet("The files say nothing else."))
        if any(epoch.placement for epoch in self.comparison.epochs):
            return line(Span("● ", "hw"), quiet("No epoch listed is off the NPU."))
        if self.comparison.epochs:
            return line(
                quiet(keyed("The files do not say where the epochs run; {i} lists them with their cycles."))
            )
        return line(quiet("The files list neither epochs nor operators off the NPU."))

    @on(TabBar.Chosen)
    def _chosen_tab(self, message: TabBar.Chosen) -> None:
        message.stop()
        self.action_list(message.index)

    def action_take(self) -> None:
        """To the layer; without a model to the rule behind the reason."""
        if self.layer:
            self.dismiss(self.layer)
        elif not self._with_model:
            self.action_rule()

    def action_filter(self) -> None:
        """Only the layers of this list in the tree."""
        if self._with_model and self._names:
            label = "differences" if self._at is Tab.DIFFERENCES else "off the NPU as built"
            self.dismiss(LayerFilter(FilterBy.NAMES, "", label, names=self._names))

    def action_rule(self) -> None:
        """The rule behind a reason."""
        if self._code:
            self.app.push_screen(RuleScreen((self._code,)))

    def action_epochs(self) -> None:
        """The epochs as the tools made them."""
        if self.comparison.epochs:

            def chosen(name: str | None) -> None:
                if name is not None and self._with_model:
                    self.dismiss(name)

            self.app.push_screen(
                EpochsScreen((actual_schedule(self.comparison),), self.layer or None), chosen
            )

    def action_list(self, index: int) -> None:
        """One of the lists."""
        if 0 <= index < len(self._lists) and self._lists[index] is not self._at:
            self._at = self._lists[index]
            self._show()

    def action_other(self, step: int) -> None:
        """The next or the previous list."""
        self.action_list((self._lists.index(self._at) + step) % len(self._lists))

    async def action_open_model(self) -> None:
        """Choose the model the artefacts were made from."""
        if not self._with_model:
            await self.app.run_action("open_file")

    async def action_quit_or_leave(self) -> None:
        """Without a model there is nothing to go back to."""
        if self._with_model:
            self.action_leave()
        else:
            await self.app.run_action("quit")
