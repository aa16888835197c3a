"""Serving a language model: latency, throughput, energy and cost, on one device or on several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass, fields, replace
from math import isnan, nan
from pathlib import Path

import pandas as pd

from hwexplore.accelerator.devices import Device, Run, applicable
from hwexplore.accelerator.links import Link
from hwexplore.errors import InputError
from hwexplore.workloads import Operator, Workload, load
from hwexplore.workloads.policy import selects

__all__ = ["SERVING_METRICS", "Serving", "Stage", "serve"]

ATTENTION = ("attention", "softmax", "softcap", "cache_convert", "sv_add")
"""Kinds and names of the operators between the projections, which read the KV cache or the scores."""

MAX_TOKENS = 2**31 - 1

SERVING_METRICS = {
    "ttft_s": ("s", "time to first token: prefill"),
    "tpot_s": ("s", "mean time per further output token"),
    "total_s": ("s", "time from the prompts to the last token"),
    "tokens_per_s": ("1/s", "output tokens per second, batch after batch"),
    "j_per_token": ("J", "energy per output token"),
    "power_w": ("W", "mean power, tokens per second times energy per token"),
    "cost_per_million_tokens": ("", "price of the devices while they are held, per million output tokens"),
    "intelligence_per_watt": ("1/W", "accuracy over power"),
}
"""Unit and meaning of every serving metric."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What one device or link does for a batch: its own time, and the energy and cost of all the time it is held.

    NaN stands for an energy or a cost that is not known. Stages of one ``group`` keep the same devices from other work.
    """

    name: str
    group: str
    where: str
    time_s: float
    energy_j: float
    cost: float


@dataclass(frozen=True, kw_only=True)
class Serving:
    """A static batch of ``batch`` requests of ``prompt`` tokens that are answered by ``output`` tokens each.

    Stages of a batch follow each other. Groups of stages have devices of their own and work on successive batches at
    the same time, so the slowest group sets ``tokens_per_s``; with one device there is one group.
    """

    batch: int
    prompt: int
    output: int
    stages: tuple[Stage, ...]

    @property
    def tokens(self) -> int:
        """Output tokens of the batch."""
        return self.batch * self.output

    @property
    def ttft_s(self) -> float:
        """Time to first token, which prefill gives."""
        return self.stages[0].time_s

    @property
    def total_s(self) -> float:
        """Time from the prompts to the last token."""
        return sum(stage.time_s for stage in self.stages)

    @property
    def tpot_s(self) -> float:
        """Mean time per further output token, the transfer of the KV cache included; NaN if there is none."""
        return (self.total_s - self.ttft_s) / (self.output - 1) if self.output > 1 else nan

    @property
    def tokens_per_s(self) -> float:
        """Output tokens per second, batch after batch."""
        return self.tokens / float(self.to_frame().groupby("group")["time_s"].sum().max())

    @property
    def j_per_token(self) -> float:
        """Energy per output token."""
        return sum(stage.energy_j for stage in self.stages) / self.tokens

    @property
    def power_w(self) -> float:
        """Mean power of all devices and links."""
        return self.j_per_token * self.tokens_per_s

    @property
    def cost_per_million_tokens(self) -> float:
        """Price of the devices while they are held, per million output tokens; NaN without prices."""
        return 1e6 * sum(stage.cost for stage in self.stages) / self.tokens

    def intelligence_per_watt(self, accuracy: float) -> float:
        """Accuracy (0 to 1, on a task of the user's) over mean power (Saad-Falcon et al., arXiv 2511.07885)."""
        if not 0 <= accuracy <= 1:
            raise InputError(f"accuracy is {accuracy}; expected a fraction from 0 to 1")
        return accuracy / self.power_w

    def metrics(self, accuracy: float = nan) -> dict[str, float]:
        """All of SERVING_METRICS; NaN for what is not known."""
        known = {name: getattr(self, name) for name in SERVING_METRICS if name != "intelligence_per_watt"}
        return known | {"intelligence_per_watt": nan if isnan(accuracy) else self.intelligence_per_watt(accuracy)}

    def to_frame(self) -> pd.DataFrame:
        """A row per stage."""
        return pd.DataFrame(map(astuple, self.stages), columns=[field.name for field in fields(Stage)])


def serve(
    network: str | Path,
    device: Device,
    *,
    prompt: int,
    output: int,
    batch: int = 1,
    decode: Device | None = None,
    attention: Device | None = None,
    link: Link | None = None,
) -> Serving:
    """Serve a batch of requests alike on ``device``, or on several devices that ``link`` joins.

    ``network`` is a catalogue model or a config.json. With ``decode``, ``device`` does the prefill only, and the KV
    cache of the prompts moves to the other (phase splitting: Splitwise, ISCA 2024). With ``attention``, that device
    holds the KV cache in decode and does the attention, the other one the rest (attention offloading: Lamina, arXiv
    2405.01814): in each layer of each step, queries and the new keys and values go there and the results come back.
    Transfers overlap with nothing.

    A device is held, draws its static power and is paid for from the start to the end of its phase, and works for other
    batches before and after; in attention offloading one device waits for the other. InputError for a network without a
    KV cache, lengths that are not positive integers, several devices without a link, and what a device cannot run.
    """
    others = [other for other in (decode, attention) if other is not None]
    if others and link is None:
        raise InputError("several devices need a link between them, such as nvlink3")
    for name, tokens in (("prompt", prompt), ("output", output)):
        if not 1 <= tokens <= MAX_TOKENS:
            raise InputError(f"{name} is {tokens}; expected tokens, at least one and below 2**31")
    held = load(network, phase="prefill", batch=batch, context=prompt).cache_elements
    if not held:
        raise InputError(f"{network} has no KV cache; expected a language model")
    chat = load(network, phase=f"chat({prompt}, {output})", batch=batch)
    for each in (device, *others):
        chat.operands(each.policy)
    prefill = _part(replace(chat, cache_elements=held), lambda operator: operator.name.startswith("prefill."))
    steps = _part(chat, lambda operator: operator.name.startswith("decode."))
    groups = ("prefill", "transfer", "decode") if decode else ("all",) * 3
    run = device.run(prefill)
    stages = [_stage("prefill", groups[0], device, run, run.time_s)]
    if steps.operators and link and others:
        stages.append(_transfer("KV cache transfer", groups[1], link, _cache_bytes(prefill, device)))
    if steps.operators and link and attention:
        stages += _offloaded(steps, groups[2], decode or device, attention, link)
    elif steps.operators:
        run = (decode or device).run(steps)
        stages.append(_stage("decode", groups[2], decode or device, run, run.time_s))
    return Serving(batch=batch, prompt=prompt, output=output, stages=tuple(stages))


def _part(workload: Workload, keep: Callable[[Operator], bool]) -> Workload:
    return replace(workload, operators=tuple(operator for operator in workload.operators if keep(operator)))


def _stage(name: str, group: str, device: Device, run: Run, held_s: float) -> Stage:
    cost = nan if device.price_per_hour is None else device.price_per_hour * held_s / 3600
    energy_j = run.energy_j + run.static_w * held_s
    return Stage(name=name, group=group, where=device.name, time_s=run.time_s, energy_j=energy_j, cost=cost)


def _transfer(name: str, group: str, link: Link, moved_bytes: float, transfers: float = 1) -> Stage:
    time_s, energy_j = link.time_s(moved_bytes, transfers), link.energy_j(moved_bytes)
    return Stage(name=name, group=group, where=link.name, time_s=time_s, energy_j=energy_j, cost=0)


def _cache_bytes(workload: Workload, device: Device) -> float:
    """Of the KV cache that the workload leaves, as ``device`` stores it."""
    policy = applicable(device.policy, workload)
    return workload.resident_bytes(policy) - replace(workload, cache_elements=0).resident_bytes(policy)


def _offloaded(steps: Workload, group: str, device: Device, attention: Device, link: Link) -> list[Stage]:
    """Decode with the products of weights on one device and what lies between the projections on another."""

    def attends(operator: Operator) -> bool:
        return any(selects(selector, operator) for selector in ATTENTION)

    products = device.run(_part(replace(steps, cache_elements=0), lambda operator: not attends(operator)))
    scores = attention.run(_part(replace(steps, parameters=0), attends))
    frame = steps.to_frame(applicable(device.policy, steps))
    results = frame["name"].str.endswith(".sv_matmul")
    crossing = {
        "activation_bytes": frame["name"].str.endswith(".qk_matmul"),
        "kv_bytes": frame["kind"] != "attention",
        "output_bytes": results,
    }
    moved_bytes = sum((frame["count"] * frame[column])[rows].sum() for column, rows in crossing.items())
    moved = _transfer("attention transfer", group, link, moved_bytes, 2 * frame["count"][results].sum())
    held_s = products.time_s + scores.time_s + moved.time_s
    return [
        _stage("decode", group, device, products, held_s),
        _stage("attention", group, attention, scores, held_s),
        moved,
    ]
