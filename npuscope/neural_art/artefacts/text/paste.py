"""What forums, chats and mail do to a text, undone; and a paste of several artefacts, cut in its parts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from npuscope.model.errors import ModelError
from npuscope.neural_art.artefacts.text.documents import MAX_COMMENTED, MAX_PARTS, parse, values_in

MOST_PARTS = 20
"""Documents looked for in one paste."""
MOST_TRIED = 50
"""Places a JSON document is tried at."""
MOST_READ = 2
"""Times the length of a text that is read, all told, at places where there turns out to be no document."""
MOST_OF = 0.6
"""Part of the lines by which a whole text is taken for a quotation or a log; reports have three lines with '>'."""

_ENTITIES = {"gt": ">", "lt": "<", "amp": "&", "quot": '"', "apos": "'", "nbsp": " ", "#39": "'", "#x27": "'",
             "#34": '"', "#62": ">", "#60": "<", "#160": " "}  # fmt: skip
_ENTITY = re.compile(r"&(" + "|".join(_ENTITIES) + r");", re.IGNORECASE)
_TAG = re.compile(
    r"</?(br|p|pre|code|div|span|li|ol|ul|blockquote|tt|b|i|em|strong)(?:\s[^<>]{0,300})?/?>", re.IGNORECASE
)
_LINE_TAGS = frozenset({"br", "p", "div", "li", "pre", "blockquote"})
_SPACES = dict.fromkeys((0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000), " ")
_INVISIBLE = dict.fromkeys(
    (0, 0xAD, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065))
)
_PLAIN = {**_SPACES, **_INVISIBLE, 0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0x2192: "->"}
"""Blanks of every kind to blanks, typographic quotes and arrows to typed ones, what cannot be seen to nothing."""
ANSI = re.compile(
    r"\x1b\[[0-9;:?<=>]{0,64}[ -/]{0,4}[@-~]|\x1b\][^\x07\x1b]{0,400}(?:\x07|\x1b\\)|\x1b[@-Z\\-_]"
)
"""Escape sequences of terminals."""
_STAMP = re.compile(
    r"[ \t]*[\[(]?(?:\d{4}[-/]\d\d[-/]\d\d[T ,]{1,2}|\d\d[-/.]\d\d[-/.]\d{4}[T ,]{1,2})?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
    r"(?: ?[AP]M)?(?:Z|[+-]\d\d:?\d\d)?[\])]?(?:[ \t]?[:-])?[ \t]?"
)
"""A date and a time, or a time alone, before what the tool printed."""
_LOGGER = re.compile(
    r"\[?(?:INFO|DEBUG|WARNING|WARN|ERROR|TRACE|NOTICE)(?:\][ \t:]{0,3}|[ \t:]{1,3})(?:[\w.]{1,60}:\d{1,6}[ \t]?-[ \t]?)?"
)
SAMPLE = 400
"""Lines looked at to tell what was done to all of them."""
_QUOTE = re.compile(r"^[ \t]?>[ \t]?", re.MULTILINE)
_GRAPH = re.compile(r"^[ \t]{0,20}digraph \w{0,100} ?\{", re.MULTILINE)
_GRAPH_END = re.compile(r"^[ \t]{0,20}\}[ \t]*$", re.MULTILINE)
_OPTIONS = re.compile(r"^# Tool: .{0,400}atonn", re.MULTILINE)
_OPTIONS_END = re.compile(r"\n(?!#|[A-Za-z][\w-]{0,60}=|[ \t]*\n)")
_OBJECT = re.compile(r"^[ \t]*\{", re.MULTILINE)
_TABLE = re.compile(r"^[ \t]*epochs?,.{0,60000}epoch OPS", re.MULTILINE | re.IGNORECASE)
_TABLE_END = re.compile(r"\n(?![^\n]*,|[ \t\r]*\n|TOPS/W|Total|Average|Frames|Ideal)")


def unwrapped(text: str) -> str:
    """The text with lines that end in one way, and without quotation marks, entities and tags."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isascii() or "\0" in text:
        text = text.translate(_PLAIN)
    if "&" in text and _ENTITY.search(text) is not None:
        text = _ENTITY.sub(lambda match: _ENTITIES[match[1].lower()], text)
    if "</" in text or "<br" in text[:100_000].lower():
        text = _TAG.sub(lambda match: "\n" if match[1].lower() in _LINE_TAGS else "", text)
    if "\x1b" in text:
        text = ANSI.sub("", text)
    for _ in range(4):
        lines = _sample(text)
        if sum(line.lstrip().startswith(">") for line in lines) <= MOST_OF * len(lines):
            break
        text = _QUOTE.sub("", text)
    lines = _sample(text)
    if sum(len(without_prefix(line)) < len(line) for line in lines) > MOST_OF * len(lines):
        text = "\n".join(without_prefix(line) for line in text.split("\n"))
        lines = _sample(text)
    indent = min((len(line) - len(line.lstrip(" \t")) for line in lines), default=0)
    if indent:
        text = re.compile(rf"^[ \t]{{1,{indent}}}", re.MULTILINE).sub("", text)
    return text


def _sample(text: str) -> list[str]:
    """The first lines with anything in them."""
    return [line[:400] for line in text[:200_000].split("\n")[:SAMPLE] if line.strip()]


def without_prefix(line: str) -> str:
    """A line without what a logger put before it."""
    stamp = _STAMP.match(line)
    if stamp is not None:
        line = line[stamp.end() :]
    logger = _LOGGER.match(line)
    return line if logger is None else line[logger.end() :]


def parts(text: str) -> Iterator[tuple[str, str]]:
    """('graph' | 'document' | 'table' | 'options' | 'text', its text): what is a file of its own first, what is left last."""
    left: list[str] = []
    position = count = 0
    for kind, start, end in _documents(text):
        if start < position:
            continue
        left.append(text[position:start])
        yield kind, text[start:end]
        position, count = end, count + 1
        if count == MOST_PARTS:
            break
    left.append(text[position:])
    yield "text", "\n".join(left)


def _documents(text: str) -> list[tuple[str, int, int]]:
    documents: list[tuple[str, int, int]] = []
    for kind, opening, end_of in (
        ("graph", _GRAPH, _end_of_graph),
        ("table", _TABLE, _end_by(_TABLE_END)),
        ("options", _OPTIONS, _end_by(_OPTIONS_END)),
    ):
        position = 0
        for _ in range(MOST_PARTS):
            match = opening.search(text, position)
            if match is None:
                break
            position = max(end_of(text, match.end()), match.end())
            documents.append((kind, match.start(), position))
    taken = sorted(documents, key=lambda part: part[1])
    return sorted([*taken, *_objects(text, taken)], key=lambda part: part[1])


def _end_of_graph(text: str, start: int) -> int:
    """Its groups end in braces of their own: the first brace after all that only a graph has is the end."""
    after = _GRAPH.search(text, start)
    stop = after.start() if after is not None else len(text)
    last = max(text.rfind(mark, start, stop) for mark in ('\\l" ]', '", shape=', "subgraph cluster"))
    end = _GRAPH_END.search(text, max(last, start), stop)
    return end.end() if end is not None else stop


def _end_by(pattern: re.Pattern[str]) -> Callable[[str, int], int]:
    """Where a line of another kind begins."""

    def end_of(text: str, start: int) -> int:
        end = pattern.search(text, start)
        return end.start() if end is not None else len(text)

    return end_of


def _objects(text: str, taken: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """JSON objects that begin a line, but for those with more values behind them than a document may hold."""
    decoder = json.JSONDecoder()
    objects: list[tuple[str, int, int]] = []
    position = counted = wasted = 0
    values, filled = values_in(text), len(text.rstrip()) - 1
    for tried, match in enumerate(_OBJECT.finditer(text)):
        start = match.end() - 1
        if tried >= MOST_TRIED or len(objects) >= MOST_PARTS or wasted > MOST_READ * len(text):
            break
        values -= values_in(text, counted, start)
        counted = start
        if start < position or values > MAX_PARTS or any(a <= start < b for _, a, b in taken):
            continue
        value: object
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError) as error:
            if _reached(error, text) >= filled:
                break  # cut short: the objects behind are its own
            wasted += _reached(error, text) - start
            value, end = _commented(text, start, match.start())
        if isinstance(value, dict) and value:
            objects.append(("document", start, end))
            position = end
        else:
            wasted += end - start
    return objects


def _reached(error: Exception, text: str) -> int:
    """How far a text was read before the error, at most."""
    if isinstance(error, json.JSONDecodeError) and not error.msg.startswith("Unterminated string"):
        return error.pos
    return len(text)


def _commented(text: str, start: int, line: int) -> tuple[object, int]:
    """An object with comments in it, as configuration files have them: to the brace below the first one.

    None where there is none, and how far the text was read.
    """
    indent = text[line:start]
    close = re.compile(rf"^{re.escape(indent)}\}}", re.MULTILINE).search(text, start, start + MAX_COMMENTED)
    if close is None:
        return None, start
    try:
        return parse(text[start : close.end()], "the paste"), close.end()
    except ModelError:
        return None, close.end()
