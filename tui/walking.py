"""Keys that follow the graph: to producers and consumers, to the hottest layers, back and forward."""

from __future__ import annotations

from npuscope.tui.reading import Reading

MOST_PLACES = 200
"""Places that are remembered."""


class Walking(Reading):
    """The explorer that walks along edges."""

    _past: tuple[str, ...] = ()
    _future: tuple[str, ...] = ()
    _hot: str = ""
    """The layer the last key for a hot one went to."""

    def jump(self, name: str) -> None:
        """Go to a layer, and remember where from."""
        here = self.graph_tree.layer_name
        if here is not None and here != name:
            self._past = (*self._past, here)[-MOST_PLACES:]
            self._future = ()
        self.go_to(name)

    def action_walk(self, step: int) -> None:
        """To the first producer (-1) or consumer (1) of the selected layer.

        Where the cursor has just come from another layer by the same key, the next one of that layer's neighbours
        is one key further: back with Ctrl+o.
        """
        report = self.report
        if report is None:
            if self.snapshot.layers:
                self.jump(self.graph_tree.outline.order[0 if step > 0 else -1].name)
            return
        links = self.snapshot.links
        edges = links.producers(report.layer) if step < 0 else links.consumers(report.layer)
        names = list(dict.fromkeys(link.layer for link in edges if link.layer))
        if not names:
            self.tell("The model begins here." if step < 0 else "Nothing reads it: the model ends here.")
            return
        self.jump(names[0])
        if len(names) > 1:
            others = ", ".join(names[1:4]) + (" …" if len(names) > 4 else "")
            self.tell(f"1 of {len(names)} {'producers' if step < 0 else 'consumers'}; also {others}")

    def action_join(self, step: int) -> None:
        """To the next (1) or previous (-1) layer where branches meet; after the last comes the first."""
        from npuscope.model.inspection.joins import is_join

        snapshot, outline = self.snapshot, self.graph_tree.outline
        by_name, _ = snapshot.graph_order
        order = [report.name for report in outline.order if is_join(snapshot.links, report.layer, by_name)]
        if not order:
            self.tell("No branches meet in this model.")
            return
        here = outline.position.get(self.graph_tree.layer_name or "", -1 if step > 0 else len(outline.order))
        ahead = [n for n in order if (outline.position[n] > here if step > 0 else outline.position[n] < here)]
        at = (ahead or order)[0 if step > 0 else -1]
        self.jump(at)
        self.tell(f"{order.index(at) + 1} of {len(order)} where branches meet")

    def action_go_back(self, step: int) -> None:
        """Where the cursor jumped from (-1), and forward again (1)."""
        here = self.graph_tree.layer_name
        places = self._past if step < 0 else self._future
        while places and places[-1] not in self.snapshot.by_name:
            places = places[:-1]
        if not places:
            self.tell("Nowhere to go back to." if step < 0 else "Nowhere to go forward to.")
            return
        there, rest = places[-1], places[:-1]
        returned = (here,) if here is not None else ()
        if step < 0:
            self._past, self._future = rest, (*self._future, *returned)
        else:
            self._past, self._future = (*self._past, *returned), rest
        self.go_to(there)

    def action_hottest(self, step: int) -> None:
        """The layer that takes most time; from one of them to the next one below it, or above it (-1)."""
        snapshot = self.snapshot
        ranked = sorted(self.graph_tree.outline.order, key=lambda r: -snapshot.time_of(r))
        ranked = [report for report in ranked if snapshot.time_of(report) > 0]
        if not ranked:
            return
        here = self.report
        at = next((i for i, report in enumerate(ranked) if report is here), None)
        on_one = at is not None and here is not None and self._hot == here.name
        at = (at + step) % len(ranked) if at is not None and on_one else 0
        self.jump(ranked[at].name)
        self._hot = ranked[at].name
        share = snapshot.share(ranked[at]) * 100
        self.tell(f"{at + 1} of {len(ranked)} by time: {share:.0f} % of the model")
