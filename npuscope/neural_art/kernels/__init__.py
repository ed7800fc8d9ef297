"""Which kernel runs a layer, and why: chosen from formats, layout, batch and sharing, worded by the rules."""
