"""A pipe is not waited for and a device is not read, whatever a file was named as."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builders.models import DENOISER

from npuscope.files.recipe import load as load_recipe
from npuscope.machine.board import board
from npuscope.machine.pools import read_mpool
from npuscope.model.budget import Budget, limited
from npuscope.model.errors import ModelError
from npuscope.model.load import load
from npuscope.neural_art.artefacts.artefact import read as read_artefact
from npuscope.neural_art.artefacts.text.sniff import kind_of
from npuscope.numbers.inputs import read_samples
from npuscope.numbers.user_supplied.arrays import read_array, read_arrays
from npuscope.numbers.user_supplied.metric import read_labels
from npuscope.services.baseline import read_baseline, write_baseline
from npuscope.services.open import write_board
from npuscope.tflite import read as read_tflite

READERS: dict[str, Callable[[Path], object]] = {
    "model": load,
    "TFLite": read_tflite,
    "recipe": load_recipe,
    "board.toml": lambda path: board(str(path)),
    "pools": read_mpool,
    "baseline": read_baseline,
    "baseline to be written again": lambda path: write_baseline(path, ()),
    "artefact": read_artefact,
    "samples": lambda path: read_samples(path, load(DENOISER)),
    "labels": lambda path: read_labels(str(path), 1),
    "array": read_array,
}


@pytest.mark.skipif(os.name != "posix", reason="no pipes in folders there")
@pytest.mark.parametrize("reader", READERS)
def test_no_reader_waits_for_a_pipe_or_reads_a_device_or_a_folder(reader: str, tmp_path: Path) -> None:
    suffix = Path(reader).suffix
    pipe, device, folder = (tmp_path / f"{kind}{suffix}" for kind in ("pipe", "device", "folder"))
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    folder.mkdir()
    for path in (pipe, device, folder):
        with pytest.raises(ModelError) as caught:
            READERS[reader](path)
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="no pipes in folders there")
def test_a_pipe_in_a_folder_has_no_kind(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log.txt")
    assert kind_of(tmp_path / "log.txt") == ""


def archive(path: Path, header: bytes, content: bytes, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as made:
        made.writestr("x.npy", header + content)
    return path


def header(shape: str, dtype: str = "|i1") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


SWELLING = {
    "(1099511627776,)": "up to 0.0671 GB are read",
    "(67108865,)": "up to 0.0671 GB are read",
    "(-1,)": "up to 0.0671 GB are read",
    "(4, 4)": "3 of 16 bytes",
    "(4294967296, 4294967296, 4294967296)": "GB are read",
}


@pytest.mark.parametrize("shape", SWELLING)
def test_an_array_is_measured_before_it_is_read(shape: str, tmp_path: Path) -> None:
    packed = archive(tmp_path / "a.npz", header(shape), b"\0\0\0", zipfile.ZIP_DEFLATED)
    (tmp_path / "a.npy").write_bytes(header(shape) + b"\0\0\0")
    with limited(Budget(memory=1 << 26)):
        for use in (lambda: read_arrays(packed, ["x"]), lambda: read_array(tmp_path / "a.npy")):
            with pytest.raises(ModelError, match=SWELLING[shape]):
                use()


DAMAGED = {
    "objects": header("(1,)", "|O") + b"\x80\x04K\x01.",
    "another version": b"\x93NUMPY\x07\x00" + header("(1,)")[8:] + b"\0",
    "no header": b"\x93NUMPY\x01\x00\xff\xff{",
    "a header that computes": b"\x93NUMPY\x01\x00\x10\x00__import__('os')\n",
    "a bracket that is not closed": b"\x93NUMPY\x01\x00" + b"\x10\x00{'descr': (\n    9\n",
    "lines that are indented": b"\x93NUMPY\x01\x00" + b"\x10\x00{}\n    9\n  9     (",
    "sizes without bound": header(f"(0, {'9' * 300})"),
    "a field of text": header("(1,)", "|S1099511627776") + b"\0",
    "nothing": b"",
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_what_is_no_array_of_numbers_is_refused_in_a_line(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(DAMAGED[kind])
    paths = (tmp_path / "a.npy", archive(tmp_path / "a.npz", DAMAGED[kind], b""))
    for path in paths:
        with pytest.raises(ModelError, match=r"a\.np[yz]: (cannot be read as|holds an array)") as caught:
            read_arrays(path, ["x"])
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">i2", "|b1"])
def test_arrays_come_back_as_they_were_saved(order: str, dtype: str, tmp_path: Path) -> None:
    saved = np.asarray(np.arange(24).reshape(2, 3, 4) % 2, dtype, order=order)  # type: ignore[call-overload]
    np.save(tmp_path / "a.npy", saved)
    np.savez_compressed(tmp_path / "a.npz", x=saved, empty=saved[:0])
    read = read_arrays(tmp_path / "a.npz", ["x", "empty"])
    assert isinstance(read, dict) and read["empty"].shape == (0, 3, 4)
    for array in (read_array(tmp_path / "a.npy"), read["x"]):
        assert array.dtype == saved.dtype and np.array_equal(array, saved)


def test_a_board_is_written_where_nothing_lies(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("theirs")
    with pytest.raises(ModelError, match="exists; choose another name"):
        write_board([], None, None, str(tmp_path / "mine.toml"))  # type: ignore[arg-type]
    assert (tmp_path / "mine.toml").read_text() == "theirs"
