"""Recipes: the same edits again, the same bytes, and a reason where that cannot be."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest
from builders import models
from builders.edit_checks import FEW, opened, written
from builders.layer_chains import chain, chains
from builders.weighted_layers import saved, sizes
from hypothesis import given
from hypothesis import strategies as st

from npuscope.edits.edit import Refusal
from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.files import toml_text
from npuscope.files.onnx_file import write
from npuscope.files.recipe import RECIPE_KEY, load, parse, recipe_of, replay, save, text_of
from npuscope.machine.machine import target
from npuscope.model.errors import ModelError
from npuscope.model.load import load as load_model
from npuscope.session import Session


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipe")


def fixed() -> Session:
    """The denoiser with three edits."""
    session = opened(load_model(models.DENOISER))
    for edit in (
        SplitInput("Gemm_28", (144, 113), ((0.1234567890123, -7), (1e-7, 3))),
        PadChannels("Conv2D_23", 264),
        SplitOutput("Gemm_28_part0", (1000, 24)),
    ):
        changed = session.edit(edit)
        assert isinstance(changed, Session), changed
        session = changed
    return session


@FEW
@given(data=st.data())
def test_replaying_a_recipe_gives_the_same_bytes(data: st.DataObject, folder: Path) -> None:
    spec = data.draw(chains())
    source = saved(chain(spec), folder)
    session = opened(source)
    for _ in range(data.draw(st.integers(0, 3))):
        names = [layer.name for layer in session.layers.layers if layer.weight is not None]
        name = data.draw(st.sampled_from(names))
        dims = session.layers.by_name[name].output
        assert dims is not None and dims.dims is not None
        channels = dims.dims[1]
        kind = data.draw(st.sampled_from(("split", "pad")))
        edit = (
            SplitOutput(name, data.draw(sizes(channels)))
            if kind == "split" and channels > 1
            else PadChannels(name, 40)
        )
        changed = session.edit(edit)
        if isinstance(changed, Session):
            session = changed
    again = replay(load_model(source.path), parse(text_of(recipe_of(session))), target("2.1"))
    assert isinstance(again, Session), again
    assert again.done == session.done
    assert written(again) == written(session)


def test_a_recipe_is_text_a_person_can_read_and_write() -> None:
    text = text_of(recipe_of(fixed()))
    data = tomllib.loads(text)
    assert data["edit"][0] == {
        "kind": "split-in",
        "layer": "Gemm_28",
        "sizes": [144, 113],
        "scales": [[0.1234567890123, -7], [1e-7, 3]],
        "expects": "Gemm int8 1×257 -> int8 1×1024, weight int8 1024×257",
    }
    assert "# split inputs of Gemm_28 as 144+113 (approximate)" in text.splitlines()
    assert max(len(line) for line in text.splitlines()) < 120


def test_saving_and_loading(tmp_path: Path) -> None:
    session = fixed()
    saved_as = save(session, tmp_path / "fix.toml")
    assert load(tmp_path / "fix.toml") == saved_as == recipe_of(session)
    with pytest.raises(ModelError, match="exists"):
        save(session, tmp_path / "fix.toml")
    save(session, tmp_path / "fix.toml", force=True)
    with pytest.raises(ModelError, match="never overwritten"):
        save(session, models.DENOISER, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["fix.toml"]


def test_an_exported_model_carries_its_recipe(tmp_path: Path) -> None:
    session = fixed()
    first = write(session, tmp_path / "a.onnx", run_check=False).path
    again = replay(session.source, load(first), target("2.1"))
    assert isinstance(again, Session)
    assert write(again, tmp_path / "b.onnx", run_check=False).path.read_bytes() == first.read_bytes()
    more = opened(load_model(first)).edit(SplitOutput("Gemm_30", (1000, 24)))
    assert isinstance(more, Session)
    second = write(more, tmp_path / "c.onnx", run_check=False).path
    metadata = {entry.key: entry.value for entry in load_model(second).proto.metadata_props}
    assert parse(metadata[f"{RECIPE_KEY}.1"]) == recipe_of(session)
    assert load(second) == recipe_of(more)
    with pytest.raises(ModelError, match="holds no recipe"):
        load(models.DENOISER)


def test_another_model_is_refused_unless_asked_for(tmp_path: Path) -> None:
    recipe = recipe_of(fixed())
    other = load_model(models.SAMPLES / "mobilenet_mini_int8.onnx")
    replayed = replay(other, recipe, target("2.1"))
    assert isinstance(replayed, Refusal) and "sha256" in replayed.reason and "--other-model" in replayed.hint
    forced = replay(other, recipe, target("2.1"), other_model=True)
    assert isinstance(forced, Refusal) and "no layer 'Gemm_28'" in forced.reason
    assert forced.reason.startswith("edit 1 (split inputs of Gemm_28 as 144+113)")

    renamed = tmp_path / "other.onnx"
    shutil.copy(models.DENOISER, renamed)
    with renamed.open("ab") as file:
        file.write(b"\x1a\x00")  # another domain-less field: the same model, other bytes
    alike = replay(load_model(renamed), recipe, target("2.1"), other_model=True)
    assert isinstance(alike, Session) and alike.done == recipe.edits


def test_a_layer_of_another_shape_is_refused() -> None:
    session = fixed()
    text = text_of(recipe_of(session)).replace("1024×257", "1024×258")
    replayed = replay(session.source, parse(text), target("2.1"))
    assert isinstance(replayed, Refusal)
    assert "Gemm_28 is 'Gemm int8 1×257" in replayed.reason and "1024×258" in replayed.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("schema =", "is not TOML"),
        ("", "names no schema"),
        ('schema = "npuscope.recipe/9"', "npuscope.recipe/9"),
        ('schema = "npuscope.recipe/1"', "sha256"),
        ('schema = "npuscope.recipe/1"\nmodel = 3', "'model' is not a table"),
        ('schema = "npuscope.recipe/1"\n[model]\nsha256 = "x"\n[[edit]]\nkind = "no"', "edit 1: there is no edit"),
        ('schema = "npuscope.recipe/1"\nedit = [1]\n[model]\nsha256 = "x"', "edit 1: is not a table"),
        ("[" * 2000, "is not TOML"),
    ],
)  # fmt: skip
def test_what_is_no_recipe_says_why(text: str, reason: str) -> None:
    with pytest.raises(ModelError, match="recipe") as caught:
        parse(text)
    assert reason in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_are_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        load(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="cannot be read as text"):
        load(tmp_path / "binary.toml")


@given(st.text())
def test_any_text_reads_back(text: str) -> None:
    assert tomllib.loads(f"a = {toml_text.text(text)}") == {"a": text}
    assert "\n" not in toml_text.comment(text)
    assert tomllib.loads(toml_text.comment(text)) == {}


@given(
    st.one_of(
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False),
        st.booleans(),
        st.lists(st.integers(0, 9)),
    )
)
def test_any_value_reads_back(value: object) -> None:
    assert tomllib.loads(f"a = {toml_text.value(value)}") == {"a": value}
