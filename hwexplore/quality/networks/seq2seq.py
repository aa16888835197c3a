"""A pair of gated recurrent networks that reads one sequence of symbols and writes another, in NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.quality.networks.network import LINEAR, Linear, Read, as_is, matmul
from hwexplore.quality.networks.primitives import Array, sigmoid

__all__ = ["END", "PAD", "START", "Seq2Seq"]

PAD, START, END = 0, 2, 3
"""Of the symbols written; 0 pads those read, too."""
LONGEST = 20
"""Symbols at which writing stops, as g2p-en does."""


@dataclass(frozen=True, kw_only=True)
class Seq2Seq:
    """An encoder reads, and a decoder starts from its last state and writes; both are GRUs of width d.

    ``parameters`` by name: the embeddings ``encoder`` and ``decoder`` [symbols, d]; ``encoder.input``,
    ``encoder.hidden``, ``decoder.input``, ``decoder.hidden`` [3 d, d], in the order reset, update, new; ``output``
    [symbols, d]. ``biases`` [out] of all but the embeddings.
    """

    parameters: dict[str, Array]
    biases: dict[str, Array]

    @property
    def layers(self) -> list[str]:
        """All but the embeddings."""
        return list(self.biases)

    @property
    def equalizable(self) -> list[tuple[str, str]]:
        """None: a sigmoid or a tanh follows each layer."""
        return []

    @property
    def one_scale(self) -> bool:
        """No: one for each symbol of each window."""
        return False

    @property
    def operators(self) -> dict[str, tuple[str, ...]]:
        """The layers."""
        return dict.fromkeys(self.layers, LINEAR)

    def logits(self, inputs: NDArray[Any], linear: Linear = matmul, read: Read = as_is, recent: int = 0) -> Array:
        """Logits [predictions, symbols] of what is to be written next, given all that is to be written before it.

        ``inputs`` [windows, 2, time]: symbols to read; `START` and symbols to write. Both are padded at the end; from
        padding nothing is predicted. Predictions and calls of a layer are in the order of time, a row for each window.
        """
        state = self._encode(inputs[:, 0], linear)
        predictions = []
        for rows, symbols in _steps(inputs[:, 1]):
            state[rows] = self._step("decoder", symbols, state[rows], linear)
            predictions.append(self._layer("output", state[rows], linear))
        return np.concatenate(predictions)

    def write(self, read: NDArray[Any], linear: Linear = matmul) -> NDArray[np.int64]:
        """The likeliest symbol after those written so far, until `END` or 20 of them: [windows, 20], `END` after `END`.

        ``read`` [windows, time] is padded at the end.
        """
        state = self._encode(read, linear)
        last, written = np.full(len(read), START), np.full((len(read), LONGEST), END)
        for step in range(LONGEST):
            (rows,) = np.nonzero(last != END)
            if not len(rows):
                break
            state[rows] = self._step("decoder", last[rows], state[rows], linear)
            last[rows] = written[rows, step] = self._layer("output", state[rows], linear).argmax(-1)
        return written

    def _encode(self, read: NDArray[Any], linear: Linear) -> Array:
        embedding = self.parameters["encoder"]
        state = np.zeros((len(read), embedding.shape[1]), embedding.dtype)
        for rows, symbols in _steps(read):
            state[rows] = self._step("encoder", symbols, state[rows], linear)
        return state

    def _step(self, part: str, symbols: NDArray[Any], state: Array, linear: Linear) -> Array:
        """The GRU of arXiv 1412.3555 with the reset gate after the product, as cuDNN has it."""
        x = self._layer(f"{part}.input", self.parameters[part][symbols], linear)
        reset_x, update_x, new_x = np.split(x, 3, -1)
        reset_h, update_h, new_h = np.split(self._layer(f"{part}.hidden", state, linear), 3, -1)
        update = sigmoid(update_x + update_h)
        new = np.tanh(new_x + sigmoid(reset_x + reset_h) * new_h)
        return np.asarray((1 - update) * new + update * state)

    def _layer(self, name: str, x: Array, linear: Linear) -> Array:
        return linear(name, x, self.parameters[name]) + self.biases[name]


def _steps(sequences: NDArray[Any]) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
    """Of ``sequences`` [windows, time] at each time the windows that have not ended, and their symbols."""
    for symbols in sequences.T:
        (rows,) = np.nonzero(symbols != PAD)
        if len(rows):
            yield rows, symbols[rows]
