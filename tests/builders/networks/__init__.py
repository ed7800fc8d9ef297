"""Networks: drawn, made layer by layer, and listed as they were compiled."""
