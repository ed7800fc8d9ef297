"""Where weights and activations lie, and what other memories, clocks or a controller would change."""
