"""All claims, by group."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hwexplore.claims import block_scaled, fp8, lut_tensor_core, minifloats, shift_add
from hwexplore.claims.claim import Claim
from hwexplore.errors import unknown

__all__ = ["GROUPS", "claims"]

GROUPS: Mapping[str, Callable[[], list[Claim]]] = {
    "fp8": fp8.claims,
    "block-scaled": block_scaled.claims,
    "shift-add": shift_add.claims,
    "lut": lut_tensor_core.claims,
    "minifloats": minifloats.claims,
}
"""Group to the function that works its claims out."""


def claims(name: str | None = None) -> list[Claim]:
    """The claims of the group or with the full name ``name``, or all of them."""
    if name is None:
        return [claim for group in GROUPS.values() for claim in group()]
    group = name.partition("/")[0]
    if group not in GROUPS:
        raise unknown("group of claims", group, GROUPS)
    found = GROUPS[group]()
    if name == group:
        return found
    by_name = {claim.name: claim for claim in found}
    if name not in by_name:
        raise unknown("claim", name, by_name)
    return [by_name[name]]
