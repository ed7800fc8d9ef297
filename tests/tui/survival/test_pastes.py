"""A paste is text: nothing in it is a key, however it arrives."""

from hypothesis import given
from hypothesis import strategies as st
from textual.events import Key, Paste

from npuscope.tui import driver
from npuscope.tui.driver import Keyboard, Pastes

BEGIN, END = "\x1b[200~", "\x1b[201~"
PIECES = st.lists(
    st.sampled_from(["j", "\x1b", "[2", "00~", "01~", "abc", BEGIN, END, "\x1b[31m", "\x1b[A"]), max_size=12
)


@given(PIECES, st.integers(1, 7))
def test_how_it_arrives_makes_no_difference(pieces: list[str], length: int) -> None:
    text = "".join(pieces)
    one, many = Pastes(), Pastes()
    parts = [many.plain(text[i : i + length]) for i in range(0, len(text), length)]
    whole = one.plain(text)
    assert "".join(parts) == whole
    if BEGIN not in text:
        assert whole == text


def test_no_sequence_in_a_paste_is_a_key() -> None:
    keyboard = Keyboard()
    messages = list(keyboard.feed(f"j{BEGIN}a\x1b[31mq\x1b\x1b[Bz{END}k".encode()))
    assert [type(message) for message in messages] == [Key, Paste, Key]
    assert [m.key for m in messages if isinstance(m, Key)] == ["j", "k"]
    assert [m.text for m in messages if isinstance(m, Paste)] == ["a[31mq[Bz"]


def test_a_paste_without_an_end_is_taken_up_to_a_length() -> None:
    pastes = Pastes()
    taken = [pastes.plain(text) for text in (BEGIN, *["x" * 4096] * 40)]
    assert sum(map(len, taken)) == len(BEGIN) + driver.MOST_PASTED
    assert pastes.plain(f"y{END}j") == f"{END}j"
