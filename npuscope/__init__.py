"""npuscope: what an NPU compiler will make of a quantized ONNX model, and how to fix it."""

__version__ = "0.1.0"
