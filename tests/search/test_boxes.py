from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hwexplore.accelerator import PARAMETERS
from hwexplore.accelerator.bounds import ANY, FIXED
from hwexplore.search import Space
from hwexplore.search.boxes import BoxTree

SPACES: list[dict[str, Any]] = [
    {},
    {"cols": {"equals": "4 * rows"}},
    {"dataflow": {"equals": "'os' if rows < 16 else 'ws'"}, "channels": {"equals": "cols / 16"}},
]


def small(**values: Any) -> Space:
    sizes = {"rows": [1, 4, 16], "cols": [16, 64], "clock_mhz": 500, "voltage": 1.1, "vector_lanes": [16, 64]}
    kinds = {"pe": ["mac(int8, int8, acc=int32)"], "policy": ["int8_channel/int8/int8", "int4_g128/int8/int8"]}
    return Space(**{**kinds, **sizes, "dram": ["ddr4-3200", "hbm2"], "sram_kib": 512, **values})


@pytest.mark.parametrize("values", SPACES)
def test_children_make_up_their_parents(values: dict[str, Any]) -> None:
    tree = BoxTree(small(**values))
    first, depth = tree.roots()
    assert all((tree.index(first, depth)[name] != ANY).all() for name in FIXED)
    while True:
        index = tree.index(first, depth)
        assert set(index) == set(PARAMETERS)
        assert first.size * tree.sizes[depth] == tree.space.size
        for place in range(first.size):
            members = tree.space.indices(tree.ids(first[place] + np.arange(tree.sizes[depth])))
            assert tree.ids(first[[place]]) == tree.space.ids(members).min()
            for name, column in members.items():
                assert index[name][place] in (ANY, *np.unique(column)[:1])
                assert (index[name][place] == ANY) or np.ptp(column) == 0
        if depth == tree.depth:
            break
        first, depth = np.sort(tree.children(first, depth)), depth + 1
    assert not any((column == ANY).any() for column in index.values())
    assert np.array_equal(np.sort(tree.ids(first)), np.arange(tree.space.size))
