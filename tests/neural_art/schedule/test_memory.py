"""Buffers in pools."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from npuscope.machine.machine import target
from npuscope.machine.variants import with_pools, without_external_memory
from npuscope.neural_art.schedule.dataflow import Buffer
from npuscope.neural_art.schedule.memory import allocate
from npuscope.npu.cost import Memory

MACHINE = target("4.0")
BANK = 448 * 1024


def used(memory: Memory) -> dict[str, int]:
    return {pool.name: pool.used for pool in memory.pools if pool.used}


def test_small_buffers_take_the_most_frugal_bank_one_after_the_other() -> None:
    first, second = Buffer("a", 1000, 0, 1), Buffer("b", 500, 1, 2)
    memory = allocate([first, second], {}, 3, MACHINE)
    assert used(memory) == {"npuRAM5": 1008 + 512}
    assert memory.peak_activations == 1500


def test_buffers_that_do_not_meet_share_room() -> None:
    memory = allocate([Buffer("a", 1000, 0, 1), Buffer("b", 1000, 2, 3)], {}, 4, MACHINE)
    assert memory.activations_bytes == 1008
    assert memory.peak_activations == 1000


def test_what_fills_a_bank_sends_the_next_to_another() -> None:
    memory = allocate([Buffer("a", BANK, 0, 1), Buffer("b", BANK, 0, 1)], {}, 2, MACHINE)
    assert used(memory) == {"npuRAM5": BANK, "npuRAM4": BANK}


def test_what_fits_in_no_bank_lies_over_neighbours_from_the_lowest_address_up() -> None:
    # mobilenet_v2_224, Core 2.2: its 96x112x112 tensor fills cpuRAM2 and reaches 152 kB into npuRAM3
    size = 96 * 112 * 112
    memory = allocate([Buffer("a", size, 0, 1)], {}, 2, MACHINE)
    assert used(memory) == {"cpuRAM2": 1 << 20, "npuRAM3": size - (1 << 20)}
    assert [share.pool for share in memory.buffers["a"]] == ["cpuRAM2", "npuRAM3"]
    assert abs(sum(share.part for share in memory.buffers["a"]) - 1) < 1e-9


def test_what_fits_in_a_bank_is_placed_before_what_does_not() -> None:
    # SSD on MobileNetV2 at 300 x 300, Core 3.0: ST's tables list 2,109.38 KiB of external RAM, though 2,816 KiB would hold both
    small, large = Buffer("a", 16 * 150 * 150, 0, 1), Buffer("b", 96 * 150 * 150, 1, 2)
    memory = allocate([large, small], {}, 3, MACHINE)
    assert used(memory) == {"npuRAM5": small.size, "hyperRAM": large.size}


def test_of_those_that_fit_in_none_the_one_read_last_is_placed_first() -> None:
    early, late = Buffer("a", 2 * BANK, 0, 1), Buffer("b", 2 * BANK, 1, 2)
    memory = allocate([early, late], {}, 3, MACHINE)
    assert [share.pool for share in memory.buffers["b"]] == ["cpuRAM2"]
    assert len(memory.buffers["a"]) > 1


def test_what_fits_nowhere_on_the_chip_goes_outside_and_overflow_is_seen() -> None:
    large = Buffer("a", 4 << 20, 0, 1)
    assert used(allocate([large], {}, 2, MACHINE)) == {"hyperRAM": 4 << 20}
    inside = without_external_memory(MACHINE)
    pools = allocate([large], {}, 2, inside).pools
    assert max(pool.used - pool.size for pool in pools) > 0


def test_weights_lie_in_the_read_only_pool_and_in_ram_without_one() -> None:
    memory = allocate([], {"conv": 5000}, 1, MACHINE)
    assert memory.weights_in == {"conv": "octoFlash"}
    inside = allocate([], {"conv": 300_000, "gemm": 300_000}, 1, without_external_memory(MACHINE))
    assert inside.weights_in == {"conv": "npuRAM5", "gemm": "npuRAM4"}
    assert inside.weights_bytes == 600_000


def test_weights_larger_than_any_pool_are_shown_where_they_overflow() -> None:
    memory = allocate([], {"conv": 1 << 40}, 1, MACHINE)
    assert max(pool.used for pool in memory.pools) == 1 << 40


def test_very_many_outputs_are_placed_in_bounded_work() -> None:
    """A hundred thousand results that all live to the end: the smallest share a place as large as they are at once."""
    count = 100_000
    outputs = [Buffer(f"o{i}", 16, i, count - 1) for i in range(count)]
    memory = allocate(outputs, {}, count, MACHINE)
    assert len(memory.buffers) == count
    assert len(set(memory.buffers.values())) < 5
    assert sum(pool.activations for pool in memory.pools) == 16 * count == memory.peak_activations


BUFFERS = st.lists(
    st.tuples(st.integers(0, 3 << 20), st.integers(0, 30), st.integers(0, 6)).map(
        lambda b: Buffer(f"t{b[0]}_{b[1]}_{b[2]}", b[0], b[1], b[1] + b[2])
    ),
    max_size=40,
    unique_by=lambda b: b.name,
)


@given(BUFFERS)
def test_peak_is_at_least_the_largest_buffer_and_fits_what_is_used(buffers: list[Buffer]) -> None:
    memory = allocate(buffers, {}, 40, MACHINE)
    assert memory.peak_activations >= max((b.size for b in buffers), default=0)
    assert memory.activations_bytes >= memory.peak_activations
    assert memory.activations_bytes <= sum(-(-b.size // 16) * 16 for b in buffers)


@given(BUFFERS)
def test_one_pool_holds_all_where_there_is_room(buffers: list[Buffer]) -> None:
    huge = MACHINE.activation_pools[0]
    roomy = with_pools(MACHINE, (replace(huge, size=1 << 36),), "one bank")
    memory = allocate(buffers, {}, 40, roomy)
    assert all(shares == ((huge.name, 1.0),) for shares in memory.buffers.values())
