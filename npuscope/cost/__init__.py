"""What a layer costs: tiling, cycles, epochs, memory, latency."""
