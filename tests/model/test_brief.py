"""Short names: what tells names apart stays."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npuscope.model.brief import Names, brief_names, briefly, fitted, fitted_text
from npuscope.model.names import printable


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["Gemm_28", "Conv2D_23"], ["Gemm_28", "Conv2D_23"]),
        (
            ["/tcn/block_0/net/net.1/Conv", "/tcn/block_1/net/net.1/Conv", "/tcn/block_1/net/net.2/Conv"],
            ["block_0/net.1/Conv", "block_1/net.1/Conv", "block_1/net.2/Conv"],
        ),
        (["/model/head/Softmax"], ["head/Softmax"]),
        (["/a/x/Conv", "/b/x/Conv", "a/x/Conv"], ["a/x/Conv", "b/x/Conv", "a/x/Conv"]),
        (["", "/", "//"], ["", "/", "//"]),
    ],
)
def test_forms(names: list[str], short: list[str]) -> None:
    brief = brief_names(names)
    assert set(brief) == set(names)
    if len(set(short)) == len(short):
        assert [brief[name] for name in names] == short


PARTS = st.sampled_from(["", "a", "b", "net", "net.0", "Conv"])


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(PARTS, min_size=1, max_size=5).map("/".join), unique=True))
def test_names_stay_apart(names: list[str]) -> None:
    brief = brief_names(names)
    assert len(set(brief.values())) == len(names)
    assert all(len(short) <= len(name) for name, short in brief.items())


def test_a_text_about_a_layer() -> None:
    brief = {"/m/x/Conv": "x/Conv"}
    assert briefly("split inputs of /m/x/Conv as 2+3", "/m/x/Conv", brief) == "split inputs of x/Conv as 2+3"
    assert briefly("fix the batch at 1", "", brief) == "fix the batch at 1"


@given(
    st.lists(st.text(alphabet="ab/_.1\u202e", min_size=1, max_size=60), min_size=1, max_size=30, unique=True),
    st.integers(8, 40),
)
def test_names_are_told_apart_in_any_width(known: list[str], width: int) -> None:
    names = Names(known)
    forms = [names.fit(name, width) for name in known]
    assert all(len(form) <= width and form.isprintable() for form in forms)
    assert len(set(forms)) == len(known)
    assert all(
        form == printable(name)
        for form, name in zip(forms, known, strict=True)
        if len(printable(name)) <= width
    )


@pytest.mark.parametrize("width", [4, 5, 6])
def test_more_names_than_a_width_has_forms_for(width: int) -> None:
    """None is wider for that; those that are numbered stay apart as long as there are numbers."""
    known = [f"{i:010b}".replace("0", "a").replace("1", "b") * 3 for i in range(600)]
    names = Names(known)
    forms = [names.fit(name, width) for name in known]
    assert max(map(len, forms)) <= width
    assert len(set(forms)) == len(known) if width > 4 else len(set(forms)) > 99


LONG = "/model.2/m.0/cv2/act/Mul"


@pytest.mark.parametrize(
    ("beside", "width", "form"),
    [
        ((), 24, LONG),
        ((), 23, "model.2/m.0/cv2/act/Mul"),
        ((), 22, "m.0/cv2/act/Mul"),
        ((), 11, "cv2/act/Mul"),
        ((), 8, "act/Mul"),
        (("/model.4/m.0/cv2/act/Mul",), 18, "model.2/act/Mul"),
        (("/model.4/m.0/cv2/act/Mul", "/model.2/m.0/cv1/act/Mul"), 18, "model.2/cv2/…/Mul"),
    ],
)
def test_whole_parts_give_way_before_characters(beside: tuple[str, ...], width: int, form: str) -> None:
    assert Names(("/model.2/Split", LONG, *beside)).fit(LONG, width) == form


def test_a_figure_keeps_the_word_before_it_while_there_is_room() -> None:
    known = [
        f"tcn_block_{i}/network.{j}/TCM_net.{k}/Conv" for i in range(2) for j in range(3) for k in range(2)
    ]
    names = Names(known)
    assert names.fit(known[0], 28) == "block_0/network.0/net.0/Conv"
    assert names.fit(known[0], 24) == "block_0…0/net.0/Conv"


@pytest.mark.parametrize(
    ("name", "width", "short"),
    [
        ("Flatten_26_out_0_QuantizeLinear_Output", 34, "Flatten_26…0_QuantizeLinear_Output"),
        ("Flatten_26_out_0_QuantizeLinear_Output", 28, "Flatten_26_out…Linear_Output"),
        ("images_QuantizeLinear", 20, "images…Linear"),
        ("w" * 30 + "_x", 12, "wwww…wwwww_x"),
    ],
)
def test_a_name_is_cut_between_its_words_where_they_are_short_enough(
    name: str, width: int, short: str
) -> None:
    assert Names([name]).fit(name, width) == short


def test_a_name_of_many_parts_takes_no_longer() -> None:
    known = ["/".join(["x"] * 20_000) + str(i) for i in range(3)]
    names = Names(known)
    assert len({names.fit(name, 30) for name in known}) == 3


def test_names_keep_what_differs() -> None:
    names = Names(f"/model.{i}/m.0/cv{j}/act/Mul" for i in range(12) for j in (1, 2))
    assert names.fit("/model.4/m.0/cv2/act/Mul", 40) == "/model.4/m.0/cv2/act/Mul"
    assert names.fit("/model.4/m.0/cv2/act/Mul", 23) == "model.4/cv2/act/Mul"
    assert names.fit("/model.4/m.0/cv2/act/Mul", 11) == "…4/cv2/Mul"
    text = "pad inputs of /model.4/m.0/cv2/act/Mul to 40 channels"
    assert (
        fitted_text(text, "/model.4/m.0/cv2/act/Mul", names, 40) == "pad inputs of …4/cv2/Mul to 40 channels"
    )


ROOMS = ("reports", "cli", "services", "tui", "widgets", "neural_art/rules", "neural_art/notes.py")
"""What is shown comes from there."""

CUTS = {"shown", "shortened", "squeeze"}
NAMES = {"name", "names", "label", "layer", "layers", "tensor", "tensors", "seen", "tensor_label"}
ONE_PLACE = {"widgets/text/cells.py", "widgets/text/layer_names.py"}


def cut_alone(source: str) -> list[str]:
    """Calls and slices that cut a name without those beside it; that of the one file of a title is alone."""
    found = []
    for node in ast.walk(ast.parse(source)):
        cut = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CUTS:
            cut = node.args[0]
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            end = node.slice.upper
            cut = node.value if end is not None and ast.unparse(end) != "1" else None  # [:1] is no cut
        while isinstance(cut, ast.Call) and cut.args:  # printable(name)
            cut = cut.args[0]
        last = cut.attr if isinstance(cut, ast.Attribute) else cut.id if isinstance(cut, ast.Name) else ""
        plural = isinstance(node, ast.Subscript) and last.endswith("s")  # the first few of them
        if last in NAMES and not plural and not ast.unparse(cut).endswith("path.name"):  # type: ignore[arg-type]
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize(
    ("source", "cut"),
    [
        ("shown(report.name, 20)", True),
        ("shortened(printable(name), 20)", True),
        ("printable(layer.name)[:20]", True),
        ("shown_of(among, report.name, 20)", False),
        ("shown(report.layer.op, 20)", False),
        ("names[:4]", False),
        ("shown(session.source.path.name, 40)", False),
    ],
)
def test_a_name_that_is_cut_alone_is_found(source: str, cut: bool) -> None:
    assert bool(cut_alone(source)) is cut


def test_names_are_shortened_in_one_place() -> None:
    """Each cut by itself, two may look alike: `Names` cuts where all agree, and sentences say names whole (`quoted`, `whole`)."""
    root = Path(__file__).resolve().parents[2]
    alone = {}
    for room in ROOMS:
        place = root / room if room in ("tui", "widgets") else root / "npuscope" / room
        for file in [place] if place.is_file() else sorted(place.rglob("*.py")):
            name = file.relative_to(root).as_posix()
            if name not in ONE_PLACE and (found := cut_alone(file.read_text("utf-8"))):
                alone[name] = found
    assert alone == {}


def test_a_part_gives_way_before_letters_within_the_others() -> None:
    models = [f"/model.{at}/m.0/cv2/conv/Conv" for at in (2, 4, 16)]
    assert fitted(models, 11) == ["model.2/…", "model.4/…", "model.16/…"]
    assert fitted(["/net/TCM_net/TCM_net.0/Conv", "/activation/Sigmoid"], 6)[0] == "…/Conv"
