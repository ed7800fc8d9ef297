"""onnxruntime's complaints in its own words, without where in its sources they were written."""

from __future__ import annotations

import re

from npuscope.model.errors import one_line

LONGEST = 400
_SOURCE = re.compile(r"/\S{1,200}\.(?:cc|cpp|h):\d{1,6} ")
_STATUS = "[ONNXRuntimeError]"


def words_of(error: str) -> str:
    """In one line: without '[ONNXRuntimeError] : 1 : FAIL : ', the source line and the function that follows it."""
    text = error.split(" : ", 3)[-1] if error.startswith(_STATUS) else error
    return one_line(_without_source(text), LONGEST)


def _without_source(text: str) -> str:
    """'failed:/src/graph/model.cc:256 onnxruntime::Model::Model(const X&) Unsupported' is 'failed: Unsupported'."""
    match = _SOURCE.search(text)
    if match is None:
        return text
    depth, arguments = 0, False
    for at in range(match.end(), len(text)):
        if text[at] == "(":
            depth, arguments = depth + 1, True
        elif text[at] == ")":
            depth -= 1
        elif text[at] == " " and depth == 0 and arguments:
            return f"{text[: match.start()].rstrip()} {text[at:].strip().removeprefix('const ')}".strip()
    return text
