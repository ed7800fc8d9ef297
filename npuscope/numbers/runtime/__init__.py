"""onnxruntime and onnx's checks in a process of their own: a model that hangs, swells or crashes there ends that process alone."""
