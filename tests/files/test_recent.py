"""Models opened last, and files found by letters: bounded, and never an error."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from npuscope.files import fuzzy, recent
from npuscope.files.fuzzy import best, files_below, rank_of


@pytest.fixture(autouse=True)
def _state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_the_newest_first_each_once_missing_ones_left_out(tmp_path: Path) -> None:
    assert recent.recent() == []
    files = [tmp_path / os.fsdecode(name) for name in (b"a.onnx", b"b\xe9.onnx", b"c\n.onnx")]
    for file in files:
        file.touch()
        assert recent.remember(file)
    assert recent.remember(files[0])
    assert recent.recent() == [files[0], files[2], files[1]]
    files[2].unlink()
    assert recent.recent() == [files[0], files[1]]
    for number in range(recent.MOST + 5):
        recent.remember(tmp_path / f"{number}.onnx")
    kept = json.loads(recent.place().read_bytes())
    assert len(kept) == recent.MOST and all(isinstance(path, str) for path in kept)


@pytest.mark.skipif(os.name != "posix", reason="a pipe with a name")
@pytest.mark.timeout(60)
def test_a_pipe_in_place_of_the_list_is_not_waited_for(tmp_path: Path) -> None:
    recent.place().parent.mkdir(parents=True)
    os.mkfifo(recent.place())
    assert recent.recent() == []


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"\xff", b'[1, null, [], "relative", "/a\\u0000b"]', b"[" * 100_000, b" " * (1 << 18)],
)
def test_a_list_that_is_none_is_empty(content: bytes, tmp_path: Path) -> None:
    recent.place().parent.mkdir(parents=True)
    recent.place().write_bytes(content)
    assert recent.recent() == []
    (tmp_path / "a.onnx").touch()
    assert recent.remember(tmp_path / "a.onnx") and recent.recent() == [tmp_path / "a.onnx"]


def test_a_place_that_cannot_be_written_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert recent.remember(tmp_path / "file") is False and recent.recent() == []


@pytest.mark.parametrize(
    ("word", "better", "worse"),
    [
        ("yolo", "b/yolo.onnx", "yolo/b.onnx"),  # in the name, not in a folder
        ("yolo", "yolo.onnx", "y-o-l-o.onnx"),  # in one piece
        ("int", "a_int8.onnx", "mint.onnx"),  # at the start of a part
        ("dn", "d_n.onnx", "d__xn.onnx"),  # close together
        ("ab", "axxab.onnx", "axxb.onnx"),  # the shortest piece, not the first
    ],
)
def test_better_matches_come_first(word: str, better: str, worse: str) -> None:
    assert best(word, [worse, better], 9) == [better, worse]
    assert rank_of(word, better) < rank_of(word, worse)  # type: ignore[operator]


def test_what_is_no_match() -> None:
    assert rank_of("oloy", "yolo.onnx") is None
    assert best("yolo 320", ["yolo_320.onnx", "yolo_640.onnx", "320/yolo.onnx"], 9) == [
        "yolo_320.onnx",
        "320/yolo.onnx",
    ]
    assert best("o", ["o.onnx", "oo.onnx"], 1) == ["o.onnx"]


def test_links_in_a_circle_end_and_far_ones_are_followed(tmp_path: Path) -> None:
    root, far = tmp_path / "root", tmp_path / "far"
    (root / "a" / "b").mkdir(parents=True)
    (root / ".git").mkdir()
    far.mkdir()
    for path in (root / "a" / "b" / "deep.onnx", root / ".git" / "x.onnx", far / "far.ONNX", root / "no.txt"):
        path.touch()
    (root / "a" / "b" / "up").symlink_to(root)
    (root / "far").symlink_to(far)
    (far / "back").symlink_to(root / "a")
    (root / "nowhere").symlink_to(tmp_path / "missing")
    assert sorted(Path(name).name for name in files_below(root, {".onnx"})) == [
        "deep.onnx",
        "far.ONNX",
    ]


def test_a_large_or_deep_folder_is_looked_at_in_part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fuzzy, "MOST_SEEN", 50)
    for number in range(60):
        (tmp_path / f"{number}.onnx").touch()
    assert len(files_below(tmp_path, {".onnx"})) == 50
    deep = tmp_path / "deep"
    folder = deep.joinpath(*"abcdefghijk")
    folder.mkdir(parents=True)
    (folder / "x.onnx").touch()
    (deep / "a" / "y.onnx").touch()
    assert files_below(deep, {".onnx"}) == ["a/y.onnx"]

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        files_below(tmp_path, {".onnx"}, stop)
