"""Train the character language model: ``python -m hwexplore.quality.networks.train OUTPUT.npz``.

Plain NumPy, seeded; seven minutes on one core. Prints bits per character of held-out text beside those of n-grams. The
text is that of the running Python, so the checkpoint that comes with the project is the one of Python 3.11.7.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.quality.networks.benchmark import Examples
from hwexplore.quality.networks.corpus import VOCABULARY, encode, standard_library_text
from hwexplore.quality.networks.decoder import Decoder
from hwexplore.quality.networks.gradient import loss_and_gradient
from hwexplore.quality.networks.ngrams import bits_per_character
from hwexplore.quality.networks.primitives import Array

__all__ = ["Adam", "initial", "train"]

WIDTH, HIDDEN, BLOCKS, HEADS = 128, 256, 3, 4
CONTEXT, BATCH = 128, 8
WARM_UP, PEAK_RATE = 100, 4e-3
KEPT = 128
"""Windows of held-out text, and of training text for calibration, that go with the checkpoint."""


class Adam:
    """Adam (arXiv 1412.6980, algorithm 1) with decoupled weight decay of matrices (arXiv 1711.05101), in place."""

    def __init__(self, parameters: dict[str, Array], decay: float = 0.02) -> None:
        self.parameters, self.decay, self.step = parameters, decay, 0
        self.moments = {name: (np.zeros_like(value), np.zeros_like(value)) for name, value in parameters.items()}

    def update(self, gradient: dict[str, Array], rate: float, beta1: float = 0.9, beta2: float = 0.98) -> None:
        """One step at learning rate ``rate``."""
        self.step += 1
        rate1, rate2 = 1 - beta1**self.step, 1 - beta2**self.step
        for name, value in self.parameters.items():
            first, second = self.moments[name]
            first += (1 - beta1) * (gradient[name] - first)
            second += (1 - beta2) * (gradient[name] ** 2 - second)
            if value.ndim > 1:
                value *= 1 - rate * self.decay
            value -= rate * (first / rate1) / (np.sqrt(second / rate2) + 1e-8)


def initial(
    seed: int = 0, *, width: int = WIDTH, hidden: int = HIDDEN, blocks: int = BLOCKS, heads: int = HEADS
) -> Decoder:
    """A model with random weights: Gaussian, variance 1 / inputs, less for what is added to the residual stream."""
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {"embedding": (len(VOCABULARY), width)}
    for block in (f"layers.{number}" for number in range(blocks)):
        shapes |= {f"{block}.{kind}": (width, width) for kind in ("q_proj", "k_proj", "v_proj", "out_proj")}
        shapes |= {f"{block}.gate_proj": (hidden, width), f"{block}.up_proj": (hidden, width)}
        shapes |= {f"{block}.down_proj": (width, hidden)}
        shapes |= {f"{block}.attn_norm": (width,), f"{block}.mlp_norm": (width,)}
    shapes |= {"final_norm": (width,), "lm_head": (len(VOCABULARY), width)}
    parameters = {}
    for name, shape in shapes.items():
        scale = shape[-1] ** -0.5 / (np.sqrt(2 * blocks) if name.endswith(("out_proj", "down_proj")) else 1)
        values = np.ones(shape) if len(shape) == 1 else rng.standard_normal(shape) * scale
        parameters[name] = values.astype(np.float32)
    return Decoder(parameters=parameters, heads=heads)


def train(
    model: Decoder, tokens: NDArray[Any], steps: int, *, context: int = CONTEXT, batch: int = BATCH, seed: int = 0
) -> None:
    """``steps`` steps on random windows of ``tokens``, in place; warm-up, then a cosine down to nothing."""
    rng = np.random.default_rng(seed)
    adam = Adam(model.parameters)
    started, average = time.process_time(), None
    for step in range(steps):
        starts = rng.integers(tokens.size - context, size=(batch, 1))
        loss, gradient = loss_and_gradient(model, Examples.of_tokens(tokens[starts + np.arange(context + 1)]))
        norm = np.sqrt(sum(float((g * g).sum()) for g in gradient.values()))
        rate = PEAK_RATE * min(1, (step + 1) / WARM_UP) * (1 + np.cos(np.pi * step / steps)) / 2
        adam.update(gradient, rate * min(1, 1 / norm))
        average = loss if average is None else 0.98 * average + 0.02 * loss
        if step % 50 == 49:
            print(
                f"step {step + 1}: {average / np.log(2):.3f} bits/char, {time.process_time() - started:.0f} s",
                flush=True,
            )


def main(output: Path, steps: int = 3200) -> None:
    """Train, print the comparison with n-grams and write the checkpoint: weights in FP16, two pieces of text."""
    train_text, held_out_text = standard_library_text()
    train_tokens, held_out_tokens = encode(train_text), encode(held_out_text)
    model = initial()
    print(f"{sum(value.size for value in model.parameters.values())} parameters, {train_tokens.size} characters")
    train(model, train_tokens, steps)
    parts = {}
    for name, tokens in (("calibration", train_tokens), ("held_out", held_out_tokens)):
        starts = np.linspace(0, tokens.size - CONTEXT - 1, KEPT).astype(int)[:, None]
        parts[name] = tokens[starts + np.arange(CONTEXT + 1)]
    weights = {name: value.astype(np.float16) for name, value in model.parameters.items()}
    arrays: dict[str, Any] = {"heads": np.array(model.heads), **weights, **parts}
    np.savez_compressed(output, **arrays)
    for order in (1, 2, 3, 5):
        print(f"{order}-gram: {bits_per_character(train_tokens, parts['held_out'], order):.3f} bits/char")
    stored = Decoder(parameters={name: value.astype(np.float32) for name, value in weights.items()}, heads=model.heads)
    loss = loss_and_gradient(stored, Examples.of_tokens(parts["held_out"]))[0] / np.log(2)
    print(f"character LM: {loss:.3f} bits/char of {parts['held_out'][:, 1:].size} held-out characters")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
