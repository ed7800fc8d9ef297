"""Files named together: which is the model, which are artefacts, and what no comparison can be made of."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from builders.models import DENOISER, SAMPLES, gemm_qdq

from npuscope.model.errors import ModelError
from npuscope.model.load import FRONT_END
from npuscope.neural_art.comparison.compare import compare
from npuscope.services.open import compare_files, sort_files, target_for, two_models, write_board

MINI = SAMPLES / "mobilenet_mini_int8.onnx"


@pytest.fixture
def intermediate(tmp_path: Path) -> Path:
    """A model as ST's front end leaves it beside the user's own."""
    model = gemm_qdq(64, 48)
    model.producer_name = f"{FRONT_END} 1"
    onnx.save(model, tmp_path / "intermediate.onnx")
    return tmp_path / "intermediate.onnx"


def test_two_models_of_a_user_are_held_against_each_other(tmp_path: Path, intermediate: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no model")
    unnamed = tmp_path / "model"
    unnamed.write_bytes(MINI.read_bytes())
    assert two_models([DENOISER, MINI]) == (str(DENOISER), str(MINI))
    assert two_models([DENOISER, unnamed]) == (str(DENOISER), str(unnamed))
    for others in ([DENOISER], [DENOISER, text], [DENOISER, intermediate], [DENOISER, MINI, MINI]):
        assert two_models(others) is None


def test_the_users_own_model_is_the_model(tmp_path: Path, intermediate: Path) -> None:
    assert sort_files([intermediate, DENOISER]).model == str(DENOISER)
    assert sort_files([intermediate]).model == str(intermediate)
    with pytest.raises(ModelError, match="is a model too; name one"):
        sort_files([intermediate, intermediate])
    with pytest.raises(ModelError, match="no such file"):
        two_models([tmp_path / "missing.bin", DENOISER])


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["DENOISER"], "nothing to compare it with; name"),
        (["DENOISER", "odd.json"], "odd.json"),
        (["odd.json"], "odd.json"),
        (["odd.bin"], "odd.bin"),
    ],
)
def test_what_cannot_be_compared_is_refused(names: list[str], words: str, tmp_path: Path) -> None:
    for name in ("odd.json", "odd.bin"):
        (tmp_path / name).write_text("neither one nor the other")
    with pytest.raises(ModelError) as raised:
        compare_files([DENOISER if name == "DENOISER" else tmp_path / name for name in names])
    assert words in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("output", "words"),
    [("mine.txt", "the name must end in .toml"), ("mine.toml", "needs a model and a report")],
)
def test_a_board_needs_a_measurement(output: str, words: str, tmp_path: Path) -> None:
    comparison = compare(None, (), target_for(()))
    with pytest.raises(ModelError, match=words):
        write_board([DENOISER], comparison, None, str(tmp_path / output))
    assert not list(tmp_path.iterdir())
