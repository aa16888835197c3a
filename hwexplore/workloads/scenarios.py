"""Scenarios: what an accelerator is asked to do with a language model, as passes and how often each runs."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, replace
from typing import Any

from hwexplore.errors import InputError, unknown
from hwexplore.workloads.lengths import Lengths, fold
from hwexplore.workloads.operators import Operator
from hwexplore.workloads.passes import Group, Pass
from hwexplore.workloads.primitives import elementwise
from hwexplore.workloads.training import adam, backward
from hwexplore.workloads.transformer import Transformer
from hwexplore.workloads.workload import Workload

__all__ = [
    "SCENARIOS",
    "Chat",
    "Continuous",
    "Decode",
    "Prefill",
    "Scenario",
    "Speculative",
    "Training",
    "parse",
]

LARGEST = 2**31 - 1
CHUNK = 512
"""Tokens of a prompt per iteration: the smaller budget of Sarathi-Serve (arXiv 2403.02310)."""


class Scenario(ABC):
    """One kind of work with a model; its fields are what `parse` reads.

    `recent`, where there is one, is the number of tokens that are a part of the KV cache of their own, to be given
    another format by a policy: the last ones and any attention sinks. qk_matmul_recent and sv_matmul_recent read that
    part, k_proj and v_proj write to it, and cache_convert moves what leaves it.
    """

    @abstractmethod
    def operators(self, model: Transformer, batch: int, context: int, per_layer: bool) -> Iterator[Operator]:
        """The operators in the order they run, with the expected number of each; equal ones may come again."""

    @abstractmethod
    def tokens(self, batch: int, context: int) -> float:
        """The expected tokens that the work is done for."""

    def context(self, context: int) -> int:
        """Tokens of each sequence that the KV cache has to hold."""
        return context

    def models(self, model: Transformer) -> tuple[Transformer, ...]:
        """All models that take part."""
        return (model,)

    def workload(
        self, model: Transformer, *, name: str, phase: str, batch: int, context: int, per_layer: bool = False
    ) -> Workload:
        """The table of the scenario's operators, with equal ones in one row."""
        held, models = self.context(context), self.models(model)
        return Workload(
            name=name,
            phase=phase,
            batch=batch,
            context=held,
            operators=_merged(self.operators(model, batch, context, per_layer)),
            parameters=sum(each.parameters for each in models),
            active_parameters=sum(each.active_parameters for each in models),
            cache_elements=self._cache_elements(models, batch, held),
            output_tokens=self.tokens(batch, context),
        )

    def _cache_elements(self, models: Iterable[Transformer], batch: int, context: int) -> float:
        return sum(each.cache_elements(batch=batch, context=context) for each in models)


@dataclass(frozen=True)
class Prefill(Scenario):
    """`batch` prompts of `context` tokens up to the logits of their last; its tokens are those of the prompts."""

    def operators(self, model: Transformer, batch: int, context: int, per_layer: bool) -> Iterator[Operator]:
        yield from model.operators(Pass.prefill(batch, context), per_layer=per_layer)

    def tokens(self, batch: int, context: int) -> float:
        return batch * context


@dataclass(frozen=True)
class Decode(Scenario):
    """One token of each of `batch` sequences, which attends `context` KV entries, its own included."""

    recent: int = 0

    def operators(self, model: Transformer, batch: int, context: int, per_layer: bool) -> Iterator[Operator]:
        yield from model.operators(Pass.decode(batch, context, recent=self.recent), per_layer=per_layer)

    def tokens(self, batch: int, context: int) -> float:
        return batch


@dataclass(frozen=True)
class Chat(Scenario):
    """Static batches of `batch` requests, alike within a batch: "prefill" of the prompts, then "decode" to the end.

    Prompts and outputs are drawn independently for each batch, and the table is the expected work for one. Prefill
    gives the first output token, so an output of `n` takes `n - 1` steps; the last token is not run. The steps stand at
    a few contexts, such that the sums of work and bytes over all of them are exact.
    """

    prompt: Lengths
    output: Lengths
    recent: int = 0

    def operators(self, model: Transformer, batch: int, context: int, per_layer: bool) -> Iterator[Operator]:
        for length, share in self.prompt.shares:
            run = Pass.prefill(batch, length)
            yield from _labelled("prefill", share, model.operators(run, per_layer=per_layer))
        for length, count in fold(_steps(self.prompt, self.output), _kinks(model, 1, self.recent)):
            run = Pass.decode(batch, length, recent=self.recent)
            yield from _labelled("decode", count, model.operators(run, per_layer=per_layer))

    def tokens(self, batch: int, context: int) -> float:
        return batch * self.output.mean

    def context(self, context: int) -> int:
        return self.prompt.longest + self.output.longest - 1


@dataclass(frozen=True)
class Continuous(Scenario):
    """The mean iteration of continuous batching (Orca, OSDI 2022) in its steady state, with chunked prefill
    (Sarathi-Serve, arXiv 2403.02310); `chunk` beyond the longest prompt is Orca's prefill of whole prompts.

    `batch` sequences decode, spread evenly over their outputs; as many requests enter as end. An iteration carries as
    many chunks of prompts as that takes: "mixed" iterations with the next smaller and greater whole number of average
    chunks, or "decode" iterations with none, run in the proportion that keeps the balance.
    """

    prompt: Lengths
    output: Lengths
    chunk: int = CHUNK
    recent: int = 0

    def __post_init__(self) -> None:
        if self.chunk < 1:
            raise InputError(f"chunk is {self.chunk}; expected at least one token.")
        if self.output.mean <= 1:
            raise InputError("output is always 1, which prefill gives; continuous batching needs more to decode.")

    def operators(self, model: Transformer, batch: int, context: int, per_layer: bool) -> Iterator[Operator]:
        steps = self.output.mean - 1
        decode = tuple(
            Group(sequences=batch * count / steps, queries=1, context=length)
            for length, count in fold(_steps(self.prompt, self.output), _kinks(model, 1, self.recent))
        )
        chunks = tuple(self._chunks(model))
        of_request = sum(group.sequences for group in chunks)
        fewer, rest = divmod(batch / steps * of_request, 1)
        for number, share in ((fewer, 1 - rest), (fewer + 1, rest)):
            if share:
                mixed = (replace(group, sequences=number * group.sequences / of_request) for group in chunks)
                run = Pass(groups=(*decode, *(mixed if number else ())), recent=self.recent)
                label = "mixed" if number else "decode"
                yield from _labelled(label, share, model.operators(run, per_layer=per_layer))

    def _chunks(self, model: Transformer) -> Iterator[Group]:
        """The chunks of one request, with their expected numbers."""
        whole = [(length, share, (length - 1) // self.chunk * self.chunk) for length, share in self.prompt.shares]
        ends = [(range(self.chunk, before + 1, self.chunk), share) for _, share, before in whole]
        for context, number in fold(ends, _kinks(model, self.chunk, self.recent)):
            yield Group(sequences=number, queries=self.chunk, context=context, logits=0)
        for length, share, before in whole:
            yield Group(sequences=share, queries=length - before, context=length)

    def tokens(self, batch: int, context: int) -> float:
        """One of each decoding sequence, and the first one of each request that enters."""
        return batch * self.output.mean / (self.output.mean - 1)

    def context(self, context: int) -> int:
        """Of a sequence in the mean of its steps; the longest count more, as they stay longer."""
        steps = _steps(self.prompt, self.output)
        weight = sum(share * len(step) for step, share in steps)
        return round(sum(share * len(step) * (step[0] + step[-1]) / 2 for step, share in steps) / weight)


@dataclass(frozen=True)
class Speculative(Scenario):
    """Speculative decoding (Leviathan et al., arXiv 2211.17192): the model `draft` decodes `gamma` tokens per sequence,
    then one pass of the model itself "verifies" them, which gives one token more than it accepts.

    Each drafted token is accepted with probability `alpha`, independently: equation 1 of the paper gives the expected
    tokens. The first drafted token attends `context` KV entries, its own included.
    """

    draft: Transformer
    gamma: int
    alpha: float
    recent: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise InputError(f"alpha is {self.alpha}; expected a probability from 0 to 1.")

    def operators(self, model: Transformer, batch: int, context: int, per_layer: bool) -> Iterator[Operator]:
        steps = [(range(context, context + self.gamma), 1.0)]
        for length, count in fold(steps, _kinks(self.draft, 1, self.recent)):
            run = Pass.decode(batch, length, recent=self.recent)
            yield from _labelled("draft", count, self.draft.operators(run, per_layer=per_layer))
        tokens = self.gamma + 1
        verified = Group(sequences=batch, queries=tokens, context=context + self.gamma, logits=tokens)
        run = Pass(groups=(verified,), recent=self.recent)
        yield from _labelled("verify", 1, model.operators(run, per_layer=per_layer))

    def tokens(self, batch: int, context: int) -> float:
        tokens = self.gamma + 1
        return batch * ((1 - self.alpha**tokens) / (1 - self.alpha) if self.alpha < 1 else tokens)

    def models(self, model: Transformer) -> tuple[Transformer, ...]:
        return model, self.draft


@dataclass(frozen=True)
class Training(Scenario):
    """One step on `batch` sequences of `context` tokens: "forward", loss, backward ("dgrad", "wgrad" of each product,
    "backward" of the rest), and the "optimizer" Adam. No activations are computed again, and none are dropped.

    There is no KV cache: the policy's `kv_cache` formats the second operand of products without weights, which are keys
    and values, and in "wgrad" the gradient of the output. FP8 training with E5M2 gradients (arXiv 2209.05433) is
    `"e4m3/e4m3/e4m3;dgrad=/e5m2/;wgrad=//e5m2"`. `cache_elements` are the outputs of the forward pass, kept for the
    backward pass.
    """

    def operators(self, model: Transformer, batch: int, context: int, per_layer: bool) -> Iterator[Operator]:
        forward = tuple(self._forward(model, batch, context, per_layer))
        yield from _labelled("forward", 1, forward)
        yield from backward(forward)
        yield adam(model.parameters)

    def _forward(self, model: Transformer, batch: int, context: int, per_layer: bool) -> Iterator[Operator]:
        yield from model.operators(Pass.prefill(batch, context, logits=context), per_layer=per_layer)
        yield elementwise("loss", "softmax", batch * context, model.vocabulary)

    def tokens(self, batch: int, context: int) -> float:
        return batch * context

    def _cache_elements(self, models: Iterable[Transformer], batch: int, context: int) -> float:
        return sum(
            row.count * (row.output_elements + (row.kv_elements if row.kind == "linear" else 0))
            for model in models
            for row in self._forward(model, batch, context, False)
        )


SCENARIOS: Mapping[str, type[Scenario]] = {
    "prefill": Prefill,
    "decode": Decode,
    "chat": Chat,
    "continuous": Continuous,
    "speculative": Speculative,
    "training": Training,
}
CALL = re.compile(r"\s*(\w+)\s*(?:\((.*)\))?\s*", re.DOTALL)
COMMA = re.compile(r",(?![^()]*\))")
"""A comma that is not within parentheses."""


def parse(text: str, model: Callable[[str], Transformer]) -> Scenario:
    """From a name and the values of its fields, in their order or by name; `model` loads the models it names.

    `"decode"`, `"decode(recent=128)"`, `"chat(512, 128:1+2048:3)"`, `"continuous(lognormal(512, 1.2), 256, 2048)"`,
    `"speculative(llama-3.2-1b, gamma=4, alpha=0.8)"`, `"training"`. Raises InputError for anything else.
    """
    call = CALL.fullmatch(str(text))
    if not call or call[1] not in SCENARIOS:
        raise unknown("phase", text, SCENARIOS)
    name, arguments = call[1], COMMA.split(call[2]) if (call[2] or "").strip() else []
    known: dict[str, Field[Any]] = {field.name: field for field in fields(SCENARIOS[name])}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for argument, position in zip(arguments, [*known, *arguments], strict=False):
        key, equals, value = (part.strip() for part in argument.partition("="))
        key, value = (key, value) if equals else (position, key)
        if key not in known:
            raise InputError(f"{name} has no field for {argument.strip()!r}; expected {_usage(name, known)}.")
        if key in values:
            raise InputError(f"{name} has two values for {key}; expected {_usage(name, known)}.")
        values[key] = _value(name, known[key], value, model)
    if any(key not in values and field.default is MISSING for key, field in known.items()):
        raise InputError(f"{text.strip()!r} lacks a field; expected {_usage(name, known)}.")
    return SCENARIOS[name](**values)


def _value(name: str, field: Field[Any], text: str, model: Callable[[str], Transformer]) -> Any:
    if field.type == "Lengths":
        return Lengths.parse(text)
    if field.type == "Transformer":
        return model(text)
    try:
        value = int(text) if field.type == "int" else float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= LARGEST:
        kind = "an integer from 0 and below 2**31" if field.type == "int" else "a number from 0"
        raise InputError(f"{field.name} of {name} is {text!r}; expected {kind}.")
    return value


def _usage(name: str, known: Mapping[str, Field[Any]]) -> str:
    parts = (key if field.default is MISSING else f"{key}={field.default}" for key, field in known.items())
    return f"{name}({', '.join(parts)})"


def _labelled(label: str, count: float, operators: Iterable[Operator]) -> Iterator[Operator]:
    for operator in operators:
        yield replace(operator, name=f"{label}.{operator.name}", count=count * operator.count)


def _merged(operators: Iterable[Operator]) -> tuple[Operator, ...]:
    """Equal operators in one, where the first of them stands."""
    counts: dict[Operator, float] = {}
    for operator in operators:
        single = replace(operator, count=1)
        counts[single] = counts.get(single, 0) + operator.count
    return tuple(replace(operator, count=count) for operator, count in counts.items())


def _steps(prompt: Lengths, output: Lengths) -> list[tuple[range, float]]:
    """The contexts of the decode steps of requests, with the probability of each such request."""
    pairs = ((p, o, p_share * o_share) for p, p_share in prompt.shares for o, o_share in output.shares)
    return [(range(p + 1, p + o), share) for p, o, share in pairs if o > 1]


def _kinks(model: Transformer, queries: int, recent: int) -> set[int]:
    """Contexts between which the work of `queries` new tokens is affine in the context."""
    windows = model.windows
    return {*windows, *(window + queries - 1 for window in windows if window), recent, recent + queries * (recent > 0)}
