"""ONNX file -> Graph -> Layers: what the model says, before anyone judges it."""
