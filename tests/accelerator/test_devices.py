from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwexplore import technology
from hwexplore.accelerator import Choices, Evaluator, Model, Modelled, Published, preset
from hwexplore.accelerator.devices import applicable
from hwexplore.errors import InputError
from hwexplore.workloads import Policy, Workload, load

VALUES = {
    "pe": "mac(int8, int8, acc=int32)",
    "rows": 16,
    "cols": 64,
    "dataflow": "os",
    "clock_mhz": "max",
    "voltage": 1.1,
    "vector_lanes": 64,
    "sram_kib": 512,
    "dram": "ddr4-3200",
    "channels": 1,
    "policy": "int8_channel/int8/int8",
}
CHOICES = Choices({name: [value] for name, value in VALUES.items()})
DESIGN = Modelled(name="design", technology=technology.load("nangate45"), choices=CHOICES)
A100 = Published(preset=preset("a100"), policy=Policy())


def small(phase: str = "decode") -> Workload:
    return load("smollm2-135m", phase=phase, context=64)


def test_a_design_is_what_the_evaluator_says() -> None:
    run, workload = DESIGN.run(small()), small()
    columns = Evaluator(Model(workload, DESIGN.technology, CHOICES))({name: np.zeros(1, np.intp) for name in VALUES})
    assert run.time_s == pytest.approx(columns["latency_s"][0])
    assert run.energy_j + run.static_w * run.time_s == pytest.approx(columns["energy_j"][0])
    assert str(DESIGN.policy) == "int8_channel/int8/int8"


def test_published_power_bounds_the_energy() -> None:
    assert A100.run(small())[1:] == (0, 400)
    fpga = Published(preset=preset("zcu104"), policy=Policy.parse("int8/int8/int8"))
    assert np.isnan(fpga.run(small()).static_w)


def test_what_does_not_fit() -> None:
    with pytest.raises(InputError, match=r"^a100 has 40 GB of memory; 138.* GB of weights and KV cache of llama-2-70b"):
        A100.run(load("llama-2-70b"))
    with pytest.raises(InputError, match=r"^design cannot run llama-2-7b decode.*: the DRAM cannot hold"):
        DESIGN.run(load("llama-2-7b"))


def test_a_design_has_one_value_per_parameter() -> None:
    with pytest.raises(InputError, match=r"^rows of twins has 2 values; a design has one$"):
        Modelled(name="twins", technology=DESIGN.technology, choices=Choices({**CHOICES.values, "rows": [1, 2]}))


def test_overrides_of_other_parts_are_dropped() -> None:
    workload = small()
    head = replace(workload, operators=tuple(row for row in workload.operators if row.name == "lm_head"))
    policy = Policy.parse("int8/fp16/fp16;lm_head=int4//;attention=/fp32/;linear=fp16//")
    assert str(applicable(policy, head)) == "int8/fp16/fp16;lm_head=int4//;linear=fp16//"
    assert applicable(policy, workload) == policy
    assert replace(A100, policy=policy).run(head).time_s < A100.run(head).time_s
