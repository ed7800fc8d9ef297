"""From a float model to an int8 one: every setting tried, the trade-off at a glance."""
