"""Where a layer runs, and why: one rule = one documented file."""
