"""Where `printable_kind` was before it lay in `npuscope.model.names`."""

from npuscope.model.names import printable_kind

__all__ = ["printable_kind"]
