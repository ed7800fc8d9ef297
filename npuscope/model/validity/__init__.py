"""What ONNX does not allow: names that are not UTF-8; nodes by their form in the opset, their shapes and scales.

onnxruntime and the compilers refuse such a model, or read it as something else; judging it would be a guess.
"""
