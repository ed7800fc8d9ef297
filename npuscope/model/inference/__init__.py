"""Element types, shapes and constant values of every tensor, from the inputs and the constants of a model.

All of it is our own, in one pass whose memory is bounded by the model; onnx's inference runs in a child process, with
limits, only for what our rules do not cover.
"""
