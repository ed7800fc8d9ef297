"""How the values of a layer lie on their quantization grids."""
