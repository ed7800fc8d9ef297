"""What bounds the model: the time put down to what sets it, and the roofline."""
