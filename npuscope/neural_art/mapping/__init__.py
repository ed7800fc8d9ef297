"""What a layer asks of the hardware: its sizes, its tiling, its layout in memory."""
