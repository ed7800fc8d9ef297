"""Nodes that ONNX does not allow: an operator's form in the model's opset, its shapes, its scales.

onnxruntime and the compilers refuse such a model, or read it as something else; judging it would be a guess.
"""
