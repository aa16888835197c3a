"""What holds for every claim, whatever the coefficients."""

from __future__ import annotations

import re
from math import isfinite
from pathlib import Path

import pytest

from hwexplore.claims import GROUPS, Claim, claims, to_markdown, verdict
from hwexplore.claims.document import numbers
from hwexplore.errors import InputError

DOCUMENT = Path(__file__).parents[2] / "docs" / "claims.md"


def test_names_are_distinct_and_begin_with_the_group(found: list[Claim]) -> None:
    assert len({claim.name for claim in found}) == len(found)
    assert list(dict.fromkeys(claim.name.partition("/")[0] for claim in found)) == list(GROUPS)


def test_every_claim_is_complete(found: list[Claim]) -> None:
    for claim in found:
        low, high = claim.band
        ours = claim.ours.model
        assert 0 <= low <= high, claim.name
        assert 0 < ours.low <= ours.mid <= ours.high, claim.name
        assert isfinite(ours.high), claim.name
        assert all((claim.paper, claim.statement, claim.quantity, claim.why)), claim.name
        assert claim.verdict == verdict(claim.band, claim.ours, claim.even)


def test_every_claim_says_where_theirs_comes_from(found: list[Claim]) -> None:
    for claim in found:
        assert re.search(r"arXiv \d{4}\.\d{5}|secondary source", claim.paper), claim.name


def test_every_setting_states_node_and_throughput(found: list[Claim]) -> None:
    for claim in found:
        assert re.search(r"clock period \d+ ps|zcu104|any node", claim.ours.setting), claim.name
        assert re.search(r"throughput|MAC/cycle|MAC a cycle", claim.ours.setting), claim.name


def test_the_document_has_every_claim(found: list[Claim]) -> None:
    text = DOCUMENT.read_text("utf-8")
    assert {claim.name for claim in found} == set(re.findall(r"^\| `([^`]+)`", text, re.M))


def test_markdown_gives_numbers_settings_and_reasons(found: list[Claim]) -> None:
    text = to_markdown(found)
    for claim in found:
        [row] = [line for line in text.splitlines() if line.startswith(f"| `{claim.name}`")]
        [entry] = [line for line in text.splitlines() if line.startswith(f"- `{claim.name}`")]
        assert row.count("|") == 7
        assert f"| {' | '.join(numbers(claim))} | {claim.verdict} |" in row
        assert claim.ours.setting in entry
        assert (claim.why in entry) == (claim.verdict != "agrees")


def test_one_group_and_one_claim() -> None:
    group = claims("shift-add")
    assert {claim.name.partition("/")[0] for claim in group} == {"shift-add"}
    assert claims(group[1].name) == [group[1]]


@pytest.mark.parametrize(("name", "known"), [("fp9", "fp8"), ("fp8/fp32-aera", "fp8/fp32-area")])
def test_unknown_names(name: str, known: str) -> None:
    with pytest.raises(InputError, match=known):
        claims(name)
