"""Work on all cores: results in order, and items that raise or end their process."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from npuscope.jobs import Job, StoppedError
from npuscope.model.errors import ModelError
from npuscope.services import folders
from npuscope.services.folders import is_folder, model_files
from npuscope.services.parallel import Failure, each_in_parallel


def work(item: int) -> int:
    if item == 13:
        raise ModelError("thirteen: is refused")
    if item == 17:
        raise ZeroDivisionError("seventeen\nlines")
    if item == 19:
        os.kill(os.getpid(), signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    return item * item


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("size", [lambda _: 0.0, lambda item: float(item)])
def test_results_are_in_order_and_one_bad_item_stops_no_other(workers: int, size: object) -> None:
    results = each_in_parallel(work, range(40), workers, size=size)  # type: ignore[arg-type]
    for item, result in enumerate(results):
        if item == 13:
            assert result == Failure("thirteen: is refused")
        elif item == 17:
            assert isinstance(result, Failure)
            assert "ZeroDivisionError" in result.words and "\n" not in result.words
        elif item == 19:
            assert isinstance(result, Failure) and "ended" in result.words
        else:
            assert result == item * item


def test_nothing_to_do() -> None:
    assert each_in_parallel(work, []) == []


def test_a_job_hears_how_far_it_is_and_stops() -> None:
    heard: list[tuple[int, int]] = []
    each_in_parallel(work, range(5), 2, Job(lambda done, total: heard.append((done, total))))
    assert heard == [(n, 5) for n in range(1, 6)]
    with pytest.raises(StoppedError):
        each_in_parallel(work, range(50), 2, Job(should_stop=lambda: True))


def test_models_of_folders(tmp_path: Path) -> None:
    for name in ("b.onnx", "a.TFLITE", "notes.txt", ".hidden.onnx", "sub/c.onnx", ".git/d.onnx"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "empty").mkdir()
    named = str(tmp_path / "b.onnx")
    files = model_files([named, str(tmp_path), "nowhere.onnx", str(tmp_path / "empty"), named])
    within = [str(tmp_path / name) for name in ("b.onnx", "a.TFLITE", "sub/c.onnx")]
    assert files == [*within, "nowhere.onnx", str(tmp_path / "empty")]


def test_a_folder_of_very_many_models_is_read_up_to_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MOST_FILES", 3)
    for number in range(5):
        (tmp_path / f"{number}.onnx").touch()
    assert [Path(file).stem for file in model_files([str(tmp_path)])] == ["0", "1", "2"]


@pytest.mark.parametrize("path", ["x" * 5000, "a\0b", ""])
def test_a_path_that_cannot_be_is_no_folder(path: str) -> None:
    assert not is_folder(path)
