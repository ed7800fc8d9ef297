"""Walk: along the edges of the graph, to the layers that take most time, back and forward."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npuscope.npu.times import saving_words
from npuscope.widgets.panes.neighbourhood import Neighbourhood
from npuscope.widgets.text.gains import by_gain, saved
from npuscope.widgets.text.keys import keyed

if TYPE_CHECKING:
    from npuscope.tui.screens.main.screen import MainScreen

MOST_PLACES = 200
"""Places that are remembered."""


class Walk:
    """Moves the cursor of the tree, and remembers where from."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self._past: tuple[str, ...] = ()
        self._future: tuple[str, ...] = ()
        self._hot = ""
        """The layer the last key for a hot one went to."""
        self.by_gain = False
        """The keys for the next layer go by what fixes save."""

    def jump(self, name: str) -> None:
        """Go to a layer, and remember where from."""
        here = self._screen.graph_tree.layer_name
        self._screen.go_to(name)
        self.left(here)

    def left(self, place: str | None) -> None:
        """Remember where the cursor was before it went far."""
        if place is not None and place != self._screen.graph_tree.layer_name:
            self._past = (*self._past, place)[-MOST_PLACES:]
            self._future = ()

    def to_neighbour(self, name: str) -> None:
        """Go to a layer of the neighbourhood; the keys stay there."""
        pane = self._screen.query_one(Neighbourhood)
        stays = pane.has_focus
        self.jump(name)
        if stays:
            pane.focus()

    def along(self, step: int) -> None:
        """To the first producer (-1) or consumer (1) of the selected layer; the others are named."""
        screen = self._screen
        report, snapshot = screen.report, screen.snapshot
        if report is None:
            if snapshot.layers:
                self.jump(screen.graph_tree.outline.order[0 if step > 0 else -1].name)
            return
        links = snapshot.links
        edges = links.producers(report.layer) if step < 0 else links.consumers(report.layer)
        names = list(dict.fromkeys(link.layer for link in edges if link.layer))
        if not names:
            screen.show_message(
                "The model begins here." if step < 0 else "Nothing reads it: the model ends here."
            )
            return
        self.jump(names[0])
        if len(names) > 1:
            others = ", ".join(names[1:4]) + (" …" if len(names) > 4 else "")
            screen.show_message(
                f"1 of {len(names)} {'producers' if step < 0 else 'consumers'}; also {others}"
            )

    def back(self, step: int) -> None:
        """Where the cursor jumped from (-1), and forward again (1)."""
        screen = self._screen
        here = screen.graph_tree.layer_name
        places = self._past if step < 0 else self._future
        while places and places[-1] not in screen.snapshot.by_name:
            places = places[:-1]
        if not places:
            screen.show_message("Nowhere to go back to." if step < 0 else "Nowhere to go forward to.")
            return
        there, rest = places[-1], places[:-1]
        returned = (here,) if here is not None else ()
        if step < 0:
            self._past, self._future = rest, (*self._future, *returned)
        else:
            self._past, self._future = (*self._past, *returned), rest
        screen.go_to(there)

    def join(self, step: int) -> None:
        """To the next (1) or previous (-1) layer where branches meet; after the last comes the first."""
        from npuscope.model.inspection.joins import is_join

        screen = self._screen
        snapshot, outline = screen.snapshot, screen.graph_tree.outline
        by_name, _ = snapshot.graph_order
        order = [report.name for report in outline.order if is_join(snapshot.links, report.layer, by_name)]
        if not order:
            screen.show_message("No branches meet in this model.")
            return
        outside = -1 if step > 0 else len(outline.order)
        here = outline.position.get(screen.graph_tree.layer_name or "", outside)
        ahead = [n for n in order if (outline.position[n] > here if step > 0 else outline.position[n] < here)]
        target = (ahead or order)[0 if step > 0 else -1]
        self.jump(target)
        screen.show_message(f"{order.index(target) + 1} of {len(order)} where branches meet")

    def off_npu(self, step: int) -> None:
        """The next or previous layer that is not on the NPU, or that is shown; by gain where one was chosen by it."""
        if self.by_gain and self.gain(step):
            return
        screen = self._screen
        tree, position = screen.graph_tree, screen.graph_tree.outline.position
        name, here = tree.next_stop(step), position.get(tree.layer_name or "")
        if name is None:
            if screen.document.session is not None:
                screen.show_message("Every layer is on the NPU.")
            return
        before = tree.layer_name
        tree.go_to_layer(name)
        self.left(before)
        what = "on the trace" if tree.trace else "that are shown" if tree.only else "not on the NPU"
        again = here is not None and (position[name] - here) * step <= 0
        end = f": the {'first' if step > 0 else 'last'} again" if again else ""
        screen.show_message(f"{tree.stops.index(name) + 1} of {len(tree.stops)} {what}{end}")

    def gain(self, step: int) -> bool:
        """To the layer whose fix saves less (1) or more (-1), or say which this one is (0); False where none saves any."""
        screen = self._screen
        shown = screen.graph_tree.outline.position
        ranked = [report for report in by_gain(screen.snapshot) if report.name in shown]
        here = screen.report
        index = next(
            (i for i, report in enumerate(ranked) if here is not None and report.name == here.name), None
        )
        if not ranked or (index is None and not step):
            return False
        index = (index + step) % len(ranked) if index is not None else 0
        if step:
            self.jump(ranked[index].name)
        value = saved(screen.snapshot, ranked[index]) or 0.0
        screen.show_message(
            f"{index + 1} of {len(ranked)} by gain: a fix {saving_words(value)}. "
            + keyed("{n} and {N} continue, Esc ends it.")
        )
        return True

    def hottest(self, step: int) -> None:
        """The layer that takes most time; from one of them to the next one below it, or above it (-1)."""
        screen, snapshot = self._screen, self._screen.snapshot
        ranked = sorted(screen.graph_tree.outline.order, key=lambda r: -snapshot.time_of(r))
        ranked = [report for report in ranked if snapshot.time_of(report) > 0]
        if not ranked:
            return
        here = screen.report
        index = next((i for i, report in enumerate(ranked) if report is here), None)
        on_one = index is not None and here is not None and self._hot == here.name
        index = (index + step) % len(ranked) if index is not None and on_one else 0
        self.jump(ranked[index].name)
        self._hot = ranked[index].name
        share = snapshot.share(ranked[index]) * 100
        screen.show_message(f"{index + 1} of {len(ranked)} by time: {share:.0f} % of the model")
