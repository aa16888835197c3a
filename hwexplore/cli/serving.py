"""``hwexplore serving``."""

from __future__ import annotations

from itertools import zip_longest
from math import isfinite, nan
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from hwexplore import technology as technologies
from hwexplore.accelerator import Choices, Modelled, Published, link, preset
from hwexplore.accelerator.devices import Device
from hwexplore.accelerator.serving import SERVING_METRICS, serve
from hwexplore.cli.console import output as console
from hwexplore.cli.console import print_json, print_table
from hwexplore.cli.options import Batch, Measured, SpaceFile, TechnologyName, load_space
from hwexplore.errors import InputError
from hwexplore.workloads import Policy

__all__ = ["serving"]


def serving(
    workload: Annotated[str, typer.Argument(help="Language model of the catalogue, or a config.json.")],
    accelerator: Annotated[
        str, typer.Option(help="Published accelerator (see 'hwexplore accelerators list'), or the id of a design.")
    ],
    prompt: Annotated[int, typer.Option(help="Tokens of each prompt.")] = 512,
    output: Annotated[int, typer.Option(help="Tokens of each answer.")] = 256,
    batch: Batch = 1,
    decode_accelerator: Annotated[
        str | None, typer.Option(help="Another one that decodes; the first does the prefill only.")
    ] = None,
    attention_accelerator: Annotated[
        str | None, typer.Option(help="Another one that keeps the KV cache and does the attention in decode.")
    ] = None,
    link_name: Annotated[
        str, typer.Option("--link", help="Between them: nvlink3, nvlink4, infiniband-hdr or infiniband-ndr.")
    ] = "nvlink3",
    policy: Annotated[
        str, typer.Option(help="Formats of weights/activations/KV cache on published accelerators.")
    ] = "fp16/fp16/fp16",
    measured: Measured = False,
    space: SpaceFile = None,
    technology: TechnologyName = "nangate45",
    price_per_hour: Annotated[
        list[float], typer.Option(help="Price of an hour of the accelerator; repeat for the others in their order.")
    ] = [],  # noqa: B006
    accuracy: Annotated[float | None, typer.Option(help="Fraction of tasks solved, for intelligence per watt.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print latency, throughput, energy and cost of serving a batch of requests.

    Example: hwexplore serving llama-2-7b --batch 8 --accelerator h100 --decode-accelerator a100
    """
    names = {"device": accelerator, "decode": decode_accelerator, "attention": attention_accelerator}
    given = {role: name for role, name in names.items() if name is not None}
    if len(price_per_hour) > len(given):
        raise InputError(f"{len(price_per_hour)} prices per hour for {len(given)} accelerators; give one for each")
    devices = {
        role: _device(name, price, policy, measured, space, technology)
        for (role, name), price in zip_longest(given.items(), price_per_hour)
    }
    served = serve(workload, **devices, link=link(link_name), prompt=prompt, output=output, batch=batch)
    metrics = served.metrics(nan if accuracy is None else accuracy)
    frame = served.to_frame().drop(columns="group")
    stages = frame.to_dict("records")
    if json:
        setting = {"workload": workload, "batch": batch, "prompt": prompt, "output": output}
        print_json({**setting, **_finite(metrics), "stages": [_finite(stage) for stage in stages]})
        return
    title = f"{workload}, {batch} requests of {prompt} + {output} tokens"
    print_table(title, list(frame.columns), [[_text(value) for value in stage.values()] for stage in stages])
    rows = [[name, unit, _text(metrics[name]), meaning] for name, (unit, meaning) in SERVING_METRICS.items()]
    print_table("metrics", ["metric", "unit", "value", "meaning"], [row for row in rows if row[2]])
    if any(isinstance(device, Published) for device in devices.values()):
        speed = "as fast as measured products" if measured else "at their roofline"
        note = f"published accelerators run {speed}, at the thermal design power for as long as they are held"
        console.print(note, highlight=False, soft_wrap=True)


def _device(name: str, price: float | None, policy: str, measured: bool, space: Path | None, technology: str) -> Device:
    """The published accelerator ``name``, or the design of that number."""
    if price is not None and not 0 <= price < np.inf:
        raise InputError(f"price per hour is {price}; expected 0 or more")
    if not name.isdecimal():
        return Published(preset=preset(name), policy=Policy.parse(policy), measured=measured, price_per_hour=price)
    designs = load_space(space)
    if int(name) >= designs.size:
        raise InputError(f"design {name} is not in the space, which ends at {designs.size - 1}")
    index = designs.indices(np.array([int(name)]))
    choices = Choices({key: [values[index[key][0]]] for key, values in designs.choices.values.items()})
    node = technologies.load(technology)
    return Modelled(name=f"design {name} on {node.name}", technology=node, choices=choices, price_per_hour=price)


def _finite(row: dict[Any, Any]) -> dict[str, Any]:
    """``row`` with None for what is not known."""
    return {key: None if isinstance(value, float) and not isfinite(value) else value for key, value in row.items()}


def _text(value: Any) -> str:
    """Four digits of a number, nothing of an unknown one."""
    if isinstance(value, str):
        return value
    return f"{value:.4g}" if isfinite(value) else ""
