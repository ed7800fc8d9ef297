"""Several nodes for one operator: the ones before the last."""

from __future__ import annotations

from typing import Any

import numpy as np

from npuscope.tflite.context import Context
from npuscope.tflite.flatbuffer import Array
from npuscope.tflite.schema import Operator


class Chain:
    """Nodes of an operator, named after it and what they do."""

    def __init__(self, context: Context, operator: Operator) -> None:
        self._context, self._operator = context, operator

    def make(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A node; the tensor it writes."""
        made = self._context.fresh(f"{self._operator.name}_{op.lower()}")
        self._context.node(op, inputs, [made], made, **attributes)
        return made

    def constant(self, what: str, values: Array | list[int]) -> str:
        """A constant that the operator needs; a list is one of int64."""
        array = np.array(values, np.int64) if isinstance(values, list) else values
        return self._context.initializer(f"{self._operator.name}_{what}", array)

    def last(self, op: str, *inputs: str, position: int = 0, **attributes: Any) -> None:
        """The node that is the operator, under its name, in the file's order of axes."""
        number = self._operator.outputs[position]
        result = self._context.write(number, False)
        self._context.node(op, inputs, [result], self._operator.name, **attributes)
        self._context.close(number, result, False)
