"""Composition: of a screen of which little changed, only the widgets that hold it are asked for their lines."""

from __future__ import annotations

from collections.abc import Iterable

from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.strip import Strip


class Composition(Compositor):
    """Textual's compositor, which asks every widget in the rectangle around all that changed."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: tuple[Region, ...] = ()
        """What is to be drawn; nothing where all is."""

    def render_partial_update(self) -> ChopsUpdate | None:
        """What changed, None where nothing did."""
        self._parts = tuple(self._dirty_regions)
        try:
            return super().render_partial_update()
        finally:
            self._parts = ()

    def _get_renders(self, crop: Region | None = None) -> Iterable[tuple[Region, Region, list[Strip]]]:
        if not self._parts:
            yield from super()._get_renders(crop)
            return
        parts = list(self._parts)
        for widget, (region, clip) in self.visible_widgets.items():
            seen = region.intersection(clip)
            if seen and any(seen.overlaps(part) for part in parts):
                yield region, clip, widget.render_lines(seen.translate((-region.x, -region.y)))
                # Those in front come first: of what lies behind a whole part nothing is seen.
                parts = [part for part in parts if not seen.contains_region(part)]
