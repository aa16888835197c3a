"""Nodes and memories that nobody has measured for us: factors on those that somebody has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Scaling"]


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Published ratios of one node's figures to those of ``base``; ``sources`` says for each where it comes from.

    ``energy`` is per transition or access, ``delay`` per stage or access, ``area`` and ``leakage`` per circuit.
    """

    base: str
    area: float
    energy: float
    delay: float
    leakage: float
    sources: Mapping[str, str]
