"""Values every part speaks: where a layer runs, the reasons, what it costs."""
