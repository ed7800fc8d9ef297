"""What a node, a tensor or a constant is, in words and figures to show; bounded for any model."""
