"""A float model as it will be once it is quantized, known without running it or reading its weights."""
