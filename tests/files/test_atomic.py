"""A small file is on the disk before it takes its place, and told where it lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from builders.models import DENOISER

from npuscope.files.atomic import write_beside, write_bytes, write_text
from npuscope.model.errors import ModelError
from npuscope.model.load import load


def test_the_whole_content_is_flushed_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, seen, flush = tmp_path / "file", [], os.fsync
    place.write_bytes(b"old")

    def watched(descriptor: int) -> None:
        size = os.fstat(descriptor).st_size
        seen.append((size, place.read_bytes()))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    write_bytes(place, b"new content")
    assert seen[0] == (len(b"new content"), b"old")
    assert place.read_bytes() == b"new content"


def test_a_file_beside_a_model_is_told_and_holds_what_was_given(tmp_path: Path) -> None:
    place = tmp_path / "beside.txt"
    assert write_beside(load(DENOISER), place, b"content") == place
    assert place.read_bytes() == b"content"
    assert [path.name for path in tmp_path.iterdir()] == ["beside.txt"]


def test_what_utf8_cannot_hold_is_escaped(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "a\udcffb")
    assert (tmp_path / "file").read_bytes() == b"a\\udcffb"


def test_why_it_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    source = load(DENOISER)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ModelError, match=r"cannot be written \(No space left on device\)"):
        write_beside(source, tmp_path / "file", b"content")
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    with pytest.raises(ModelError, match=r"cannot be written \(.*null"):
        write_beside(source, tmp_path / "a\0b", b"content")
