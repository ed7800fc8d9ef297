"""The words on the screen, explained once."""

from __future__ import annotations

SIGNS = (
    ("● NPU", "hw", "runs on the NPU"),
    ("◐ HYB", "hybrid", "a routine on the CPU drives the NPU's DMAs"),
    ("✗ CPU", "sw", "runs on the Cortex-M55"),
    ("✗ ▲ ○", "text", "a finding: forces the layer off the NPU, costs time or is at risk, could be faster"),
    ("▁▃█", "text", "in the header: the model's time from its first layer to its last; red works on the CPU"),
    ("▎", "changed", "made or touched by the last edit"),
    (
        "~12",
        "quiet",
        "a predicted share, in a model whose other layers a board measured: their figures have no ~",
    ),
    ("≠", "attention", "ST's tools differ from npuscope's prediction"),
    ("·", "quiet", "nothing, or too little to count; ? not known"),
)

SEARCHES = (
    ("conv", "a word of a name, an operator or a scope; or a code such as N201"),
    ("!conv", "what it does not hold for; several words have to hold together"),
    ("op=Conv", "is; op:conv holds, and finds ConvTranspose too. Likewise name, scope, node, tensor, type, shape, code"),
    ("where:cpu", "or npu, hyb; off is all that is not wholly on the NPU"),
    (">1ms  >5%", "time, share; and ms<0.1, cycles>1M, mac<4, in=257, out>512, epoch=4, dB<30 where accuracy was measured"),
    ("kernel=7", "any attribute: stride, group, axis, perm=0x2x3x1; of several sizes one is equal, > and < take the largest"),
)  # fmt: skip
"""What / looks for, on the main screen and in the table of layers."""

TERMS = (
    ("OPS/cycle", "as the compiler's graph prints it: one MAC is two OPS"),
    ("MAC/cycle", ("multiply-accumulates a clock cycle, half of OPS/cycle; one CONV accelerator does at most 72 in 8x8 "
     "and 36 in 16x8 mode, there are four")),
    ("SIMD", ("bits of feature x bits of weight. 8x8 where the input's zero point is 0 or -128; any other must be "
     "subtracted first (FSUB), which needs 16 bits: 16x8")),
    ("Deep1x1", "a mode for 1x1 kernels that takes three channels and three weights a cycle; only in 8x8"),
    ("DSS2", "a mode for depthwise 3x3 kernels with stride 2; only in 8x8"),
    ("CAs in series", "CONV accelerators (CAs) that pass partial sums to one another, 1 to 4"),
    ("batch depth", "input channels one CA takes at a time"),
    ("kernels/pass", "output channels computed at a time; passes x kernels/pass are all of them"),
    ("iterations", "times partial sums go through memory because not all input channels fit at once, at most 255"),
    ("choked ports", "what sets the compute time: feat (reading features), weights, out (writing), acc (partial sums)"),
    ("bound by", ("what takes longest of all that a layer does at once: a memory pool, or features (one enters a CONV "
     "accelerator a cycle), weights, output port, partial sums; elements (one a cycle in the arithmetic, activation or "
     "pooling unit); data movement (no accelerator computes); set-up; CPU")),
    ("compute", "cycles as the compiler estimates them, with ideal memory; 'with memory' waits for the slowest pool (bound by)"),
    ("time", "on the board: weights at the rate of their memory, and for the model the set-up of each epoch"),
    ("epoch", "one step of the compiler's schedule; layers of one epoch run as a chain"),
    ("hand-over", "where the work passes from the NPU to the CPU or back; a hybrid epoch counts as the CPU's"),
    ("scale, zero", "real value = scale x (stored - zero point)"),
    ("ss, sa, ua", "signed or unsigned, symmetric (zero point 0) or asymmetric: weights/activations"),
    ("bit-exact", "an edit exact on integers; sums of float layers may round differently; approximate: values change, v shows how much"),
)  # fmt: skip
