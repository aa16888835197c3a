"""Time to choose formats for 224 layers x 12 formats, with the gap that is left, and the length of the whole front.

Losses are lognormal sensitivities times 4^-bits. The first cost is that of weights of three sizes, the others grow with
the bits and with their square, at lognormal rates. One to three limits, at a share of the way from all layers at the
fewest to all at the most bits.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from hwexplore.quality import least_loss, loss_front

BITS = np.array([2, 3, 4, 4.25, 4.5, 5, 6, 6.25, 8, 8.25, 9, 16])
SIZES = 1, 1, 1 / 3, 1 / 3, 4, 4, 4
"""Of the products of a layer of a language model with grouped queries."""
SETTINGS = ((1, 0.2), (1, 0.5), (1, 0.8), (2, 0.2), (2, 0.5), (3, 0.2), (3, 0.5))
EPSILONS = 1, 0.3, 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, default=224, help="a multiple of 7 (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of sensitivities and costs (default: %(default)s)")
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    shape = options.layers, len(BITS)
    loss = random.lognormal(0, 1.5, (options.layers, 1)) / 4.0**BITS * random.lognormal(0, 0.3, shape)
    size = np.tile(SIZES, options.layers // len(SIZES))[:, None] * BITS / 8
    costs = np.stack([size, *(random.lognormal(0, 1, (options.layers, 1)) * BITS**power for power in (1, 2))])
    fewest, most = costs[:, :, 0].sum(axis=1), costs[:, :, -1].sum(axis=1)

    print(f"{'limits':>6}{'share':>7}{'seconds':>9}{'loss':>12}{'gap':>9}  proved")
    for limits, share in SETTINGS:
        start = time.perf_counter()
        bounds = (1 - share) * fewest[:limits] + share * most[:limits]
        found = least_loss(loss, costs[:limits], bounds, time_limit_s=60)
        seconds = time.perf_counter() - start
        print(f"{limits:>6}{share:>7}{seconds:>9.2f}{found.loss:>12.4g}{found.gap:>9.1g}  {found.proved}")

    print(f"\n{'epsilon':>7}{'seconds':>9}{'points':>8}")
    for epsilon in EPSILONS:
        start = time.perf_counter()
        front = loss_front(loss, costs[0], epsilon=epsilon)
        print(f"{epsilon:>7}{time.perf_counter() - start:>9.2f}{len(front.loss):>8}")


if __name__ == "__main__":
    main()
