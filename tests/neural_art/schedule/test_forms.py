"""Epochs of one form, of whatever model, have the figures that they have when they are worked out."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx.parser
import pytest
from builders.longer import suite_or_long
from builders.models import SAMPLES
from builders.networks.drawn_networks import networks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import compose

from npuscope.machine.build import Build
from npuscope.machine.catalogue import TOOLCHAINS
from npuscope.machine.machine import Target, target_of
from npuscope.machine.variants import with_epoch_controller, with_profile, without_external_memory
from npuscope.model.load import load
from npuscope.neural_art.price.traffic import Flow
from npuscope.neural_art.schedule.latency import Pricing
from npuscope.neural_art.schedule.repricing import MOST_FORMS, Figures, Repricing
from npuscope.npu.cost import Epoch
from npuscope.npu.verdict import Placement
from npuscope.session import Session
from npuscope.snapshot import analyse

AVERAGE = """<ir_version: 8, opset_import: ["": 13]>
g (int8[1,16,8,8] x) => (int8[1,16,1,1] y)
<float s = {0.1}, float t = {SCALE}, int8 o = {0}> {
  a = DequantizeLinear(x, s, o)
  p = GlobalAveragePool(a)
  y = QuantizeLinear(p, t, o)
}"""

TARGETS = [target_of(Build(toolchain=toolchain)) for toolchain in TOOLCHAINS]
TARGETS += [with_epoch_controller(TARGETS[0]), without_external_memory(TARGETS[0]), with_profile(TARGETS[0], "nominal")]  # fmt: skip


class Checked:
    """Prices epochs by the forms that other models had, and works each of them out as well."""

    def __init__(self) -> None:
        self.known = {id(machine): Repricing() for machine in TARGETS}
        self.worked_out = self.looked_up = 0
        self._once = Pricing.once

    def once(
        self, pricing: Pricing, position: int, flows: tuple[Flow, ...], _: Repricing, after: Repricing | None
    ) -> Epoch:
        known = self.known[id(pricing.target)]
        forms = len(known.forms)
        priced = self._once(pricing, position, flows, known, after)
        epoch = pricing.epochs[position]
        if epoch.placement is Placement.HW and not epoch.moves:
            assert priced == epoch
            return priced
        self.worked_out += len(known.forms) - forms
        self.looked_up += len(known.forms) == forms
        assert priced == pricing.epoch(position, flows)
        return priced


@pytest.fixture(scope="module")
def checked() -> Checked:
    return Checked()


@pytest.fixture(autouse=True)
def _checks(checked: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    def once(pricing: Pricing, *of: object) -> Epoch:
        return checked.once(pricing, *of)  # type: ignore[arg-type]

    monkeypatch.setattr(Pricing, "once", once)


@pytest.mark.parametrize("machine", TARGETS)
def test_epochs_of_one_form_in_the_samples(machine: Target, checked: Checked) -> None:
    before = checked.looked_up
    for path in sorted(SAMPLES.glob("*.onnx")):
        analyse(Session.open(load(path), machine))
    assert checked.looked_up - before > 10


@settings(max_examples=suite_or_long(12, 750), deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), st.sampled_from(TARGETS))
def test_epochs_of_one_form_in_any_network(
    tmp_path_factory: pytest.TempPathFactory, checked: Checked, proto: onnx.ModelProto, machine: Target
) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "forms.onnx"
    onnx.save(proto, path)
    analyse(Session.open(load(path), machine))
    worked_out = checked.worked_out
    onnx.save(compose.add_prefix(proto, "another/"), path)
    analyse(Session.open(load(path), machine))
    assert checked.worked_out == worked_out


@pytest.mark.parametrize("machine", TARGETS)
def test_averages_of_one_shape_differ_in_form_where_one_changes_its_scale(
    tmp_path: Path, checked: Checked, machine: Target
) -> None:
    path = tmp_path / "average.onnx"
    for scale in ("0.1", "0.05"):
        onnx.save(onnx.parser.parse_model(AVERAGE.replace("SCALE", scale)), path)
        analyse(Session.open(load(path), machine))


def test_forms_are_forgotten_where_there_are_too_many() -> None:
    known = Repricing()
    figures = Figures(Epoch(1, Placement.HW, "Conv", ()), {}, ())
    for i in range(MOST_FORMS + 1):
        known.learn((Placement.HW, (), (), (), i), figures)
    assert list(known.forms) == [(Placement.HW, (), (), (), MOST_FORMS)]
