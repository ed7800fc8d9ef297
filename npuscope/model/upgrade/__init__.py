"""Models of opsets 1 to 6, and the operators that ONNX had on trial, brought to opset 7 in memory.

What changed between the opsets is ONNX's own record of its operators; each change is written out here once.
"""
