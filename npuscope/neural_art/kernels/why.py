"""The list of causes: one word for each way in which a layer comes to run where it does."""

from __future__ import annotations

from enum import Enum


class Why(Enum):
    """Causes; the value is what data files and reports call it."""

    FLOAT_BETWEEN_BORDERS = "float_between_q_and_dq_operators"
    FLOAT_OUTPUT = "float_output"
    FLOAT_CONSTANT = "float_constant"
    FLOAT_WEIGHTS = "float_weights"
    FLOAT_INPUT = "float_input"
    CONV_DILATED = "dilated_convolution"
    CONV_BLOCKS = "convolution_of_blocks"
    CONV_STRIDE = "stride_beyond_the_register"
    BORDER_DROPPED = "border_dropped"
    BORDER_RUN = "border_run"
    MOVES_INTEGERS = "moves_integers_at_the_end"
    CONCAT_INTERLEAVES = "concat_interleaves"
    CONCAT_TURNED = "concat_behind_transpose"
    CONCAT_UNEQUAL = "concat_of_unequal_parts"
    CONCAT_SHARED = "concat_of_a_shared_part"
    CONCAT_IN_PLACE = "concat_in_place"
    TRANSPOSE_ROUTINE = "transpose_by_a_routine"
    TRANSPOSE_STREAMED = "transpose_as_streamed"
    TRANSPOSE_WRITTEN = "transpose_as_written"
    PAD_OTHER_MODE = "pad_of_another_mode"
    PAD_CHANNELS = "pad_of_channels"
    PAD_STREAMED = "pad_of_a_planar_stream"
    PRELU_FLOAT_SLOPES = "prelu_with_float_slopes"
