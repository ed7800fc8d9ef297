"""Split a layer: proposals, sizes typed by hand, and what they would change, as one types."""
