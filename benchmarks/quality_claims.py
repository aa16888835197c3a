"""Papers' claims about what formats do to a network, measured on a network of ours.

Loss increases in units of the network's metric, with their standard error over windows; divergence from FP32's
predictions in units of 0.001 nats. Weights and activations are those of the linear layers of the blocks.
"""

from __future__ import annotations

import argparse

import numpy as np

from hwexplore.quality import loss_front
from hwexplore.quality.networks import Benchmark, load, measure, uniform
from hwexplore.quality.networks.sensitivity import sensitivity
from hwexplore.workloads import OperandFormat, Operands

EXACT = OperandFormat.parse("fp32")
PAIRS = (
    ("MXINT8 over MXFP8", "mxint8", "mxfp8"),
    ("MXINT6 over MXFP6", "mxint6", "mxfp6"),
    ("MXINT4 over MXFP4", "mxint4", "mxfp4"),
    ("NVINT4 over NVFP4", "nvint4", "nvfp4"),
    ("INT8 over E4M3 per token", "int8", "e4m3"),
    ("INT6 over E2M3 per token", "int6", "e2m3"),
    ("INT4 over E2M1 per token", "int4", "e2m1"),
)
BLOCKS = (8, 16, 32, 64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=("charlm", "smollm2-135m"))
    parser.add_argument("--windows", type=int, help="of held-out text to measure on (default: all)")
    parser.add_argument("--group", type=int, default=32, help="of weights in few bits (default: %(default)s)")
    parser.add_argument("--only", nargs="*", default=list(CLAIMS), choices=CLAIMS, help="default: all")
    options = parser.parse_args()
    for name in options.only:
        print(f"\n{options.network}: {CLAIMS[name].__doc__}")
        CLAIMS[name](load(options.network), options.windows, options.group)


def pairs(benchmark: Benchmark, windows: int | None, group: int) -> None:
    """activations alone, weights in FP32: divergence of integer / minifloat, as they are and rotated"""
    for title, integer, minifloat in PAIRS:
        found = [
            divergence(benchmark, f"fp32/{format}/fp32", method, windows)
            for method in ("rtn", "hadamard32")
            for format in (integer, minifloat)
        ]
        print(f"{title:26} {found[0]:8.3f} / {found[1]:8.3f}   rotated {found[2]:8.3f} / {found[3]:8.3f}", flush=True)


def blocks(benchmark: Benchmark, windows: int | None, group: int) -> None:
    """activations alone in 4 bits, FP16 scales: divergence of int4s / e2m1 by block, as they are and rotated"""
    for block in BLOCKS:
        found = [
            divergence(benchmark, f"fp32/{format}_g{block}/fp32", method, windows)
            for method in ("rtn", "hadamard32")
            for format in ("int4s", "e2m1")
        ]
        print(
            f"blocks of {block:3} {found[0]:8.3f} / {found[1]:8.3f}   rotated {found[2]:8.3f} / {found[3]:8.3f}",
            flush=True,
        )


def activations_of_w4a8(benchmark: Benchmark, windows: int | None, group: int) -> None:
    """weights in groups of 4 bits: divergence by the format of the activations"""
    for weights in (f"int4_g{group}", f"e2m1_g{group}"):
        texts = [
            f"{format} {divergence(benchmark, f'{weights}/{format}/fp32', 'rtn', windows):.3f}"
            for format in ("fp32", "int8", "e4m3", "mxint8", "mxfp8")
        ]
        print(f"{weights:10} activations {', '.join(texts)}", flush=True)


def kept_at_8_bits(benchmark: Benchmark, windows: int | None, group: int) -> None:
    """W6A6 with the activations of the most sensitive layers (Fisher) kept at 8 bits"""
    profile = sensitivity(benchmark, {"activations": ["int6", "int8"]}, "fisher", 32)
    gain = {
        layer: profile.increases[layer, "activations", "int6"] - profile.increases[layer, "activations", "int8"]
        for layer in benchmark.network.layers
    }
    order = sorted(gain, key=lambda layer: -gain[layer])
    counts = sorted({0, 1, 2, 3, 4, 6, 10, len(order) // 7, len(order) // 2, len(order)})
    for count in counts:
        operands = {
            layer: Operands(
                weights=OperandFormat.parse(f"int6_g{4 * group}"),
                activations=OperandFormat.parse("int8" if layer in order[:count] else "int6"),
                kv_cache=EXACT,
            )
            for layer in order
        }
        quality = measure(benchmark, operands, windows=windows)
        print(
            f"{count:4} of {len(order)} at 8 bits: loss {quality.delta:.4f} +- {quality.delta_error:.4f}, "
            f"KL {1e3 * quality.kl_nats:.2f}   {', '.join(order[max(0, count - 2) : count])}",
            flush=True,
        )


def front(benchmark: Benchmark, windows: int | None, group: int) -> None:
    """weights of 2, 3, 4, 6, 8 bits in groups, along the front of predicted loss (Fisher) and size"""
    texts = [f"int{bits}_g{group}" for bits in (2, 3, 4, 6, 8)]
    profile = sensitivity(benchmark, {"weights": texts}, "fisher", 32)
    names = list(benchmark.network.layers)
    loss = np.array([[profile.increases[name, "weights", text] for text in texts] for name in names])
    elements = np.array([benchmark.network.parameters[name].size for name in names], float)
    bits = np.array([OperandFormat.parse(text).storage.bits for text in texts])
    found = loss_front(loss, np.outer(elements, bits), epsilon=0.02)
    mean = found.cost / elements.sum()
    for target in (2.75, 3, 3.25, 3.5, 4, 4.5, 5, 5.5, 6.5, 7.5):
        point = int(np.searchsorted(mean, target, side="right")) - 1
        shares = [
            float(elements[found.options[point] == option].sum() / elements.sum()) for option in range(len(texts))
        ]
        operands = {
            name: Operands(weights=OperandFormat.parse(texts[option]), activations=EXACT, kv_cache=EXACT)
            for name, option in zip(names, found.options[point], strict=True)
        }
        quality = measure(benchmark, operands, windows=windows)
        split = " ".join(f"{share:4.0%}" for share in shares)
        print(
            f"{mean[point]:5.2f} bits: weights in 2, 3, 4, 6, 8 bits {split}; loss {quality.delta:.4f} "
            f"+- {quality.delta_error:.4f}, KL {1e3 * quality.kl_nats:.2f}",
            flush=True,
        )


CLAIMS = {"pairs": pairs, "blocks": blocks, "w4a8": activations_of_w4a8, "w6a6": kept_at_8_bits, "front": front}


def divergence(benchmark: Benchmark, formats: str, method: str, windows: int | None) -> float:
    return 1e3 * measure(benchmark, uniform(benchmark, formats), method, windows=windows).kl_nats


if __name__ == "__main__":
    main()
