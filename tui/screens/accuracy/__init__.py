"""What each layer of a quantized model loses itself, against the float model it was made of."""
