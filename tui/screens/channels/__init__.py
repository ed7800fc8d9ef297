"""What a layer would cost with other channel counts."""
