"""Published claims of the field beside our own numbers, each with its setting and whether the two agree."""

from __future__ import annotations

from hwexplore.claims.claim import Claim, Evidence, Verdict, verdict
from hwexplore.claims.document import to_markdown
from hwexplore.claims.registry import GROUPS, claims

__all__ = ["GROUPS", "Claim", "Evidence", "Verdict", "claims", "to_markdown", "verdict"]
