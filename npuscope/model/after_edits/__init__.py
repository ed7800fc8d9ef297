"""What one state of a graph leaves to the next one: indices, layers."""
