from __future__ import annotations

from pathlib import Path

import pytest

from hwexplore.calibration import campaign, runs
from hwexplore.calibration.campaign import run
from hwexplore.calibration.measurements import table
from hwexplore.calibration.primitives import nangate45
from hwexplore.calibration.runs import TARGETS, Chosen, Node, recipes_elsewhere, synthesise
from hwexplore.errors import InputError
from hwexplore.pe import PE

pytest.importorskip("pyosys")

PE_TEXT = "mac(int2, int2, acc=int8)"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    return Node("nangate45", (nangate45(),), tmp_path_factory.mktemp("calibration"))


@pytest.fixture(scope="module")
def chosen(node: Node) -> list[Chosen]:
    return synthesise(PE.parse(PE_TEXT), node)


def test_each_target_is_met_by_the_netlist_that_is_kept(chosen: list[Chosen]) -> None:
    assert [one.target for one in chosen] == list(TARGETS)
    relaxed, *timed = chosen
    assert relaxed.period_target_ps is None
    for one in timed:
        assert one.period_target_ps is not None
        assert one.period_ps <= one.period_target_ps
        assert one.period_target_ps >= TARGETS[one.target] * one.shortest_ps * (1 - 1e-9)  # type: ignore[operator]
    assert relaxed.area_um2 <= timed[0].area_um2 <= timed[1].area_um2
    assert all(Path(one.file).exists() for one in chosen)


def test_what_was_done_is_not_done_again(node: Node, chosen: list[Chosen], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise AssertionError("synthesised again")

    monkeypatch.setattr(runs, "map_to_cells", broken)
    monkeypatch.setattr(runs, "elaborate", broken)
    assert synthesise(PE.parse(PE_TEXT), node) == chosen


def test_another_node_maps_what_won_with_and_without_full_adders(node: Node, chosen: list[Chosen]) -> None:
    recipes = recipes_elsewhere(chosen, node)
    assert chosen[0].mapping.startswith(recipes[0])
    assert sum("full adders" in recipe for recipe in recipes) <= 1


def test_a_failure_is_reported_and_stops_nothing_else(
    node: Node, chosen: list[Chosen], monkeypatch: pytest.MonkeyPatch
) -> None:
    def some_fail(pe: PE, at: Node, recipes: object) -> list[Chosen]:
        if "uint" in str(pe):
            raise RuntimeError("Yosys failed: as it were")
        return synthesise(pe, at)

    monkeypatch.setattr(campaign, "synthesise", some_fail)
    pes = [PE.parse(PE_TEXT), PE.parse("mac(uint2, uint2, acc=int8)")]
    outcomes = {outcome.pe: outcome for outcome in run([node], pes, jobs=1)}
    failed = outcomes[str(pes[1])]
    assert failed.failures == {"nangate45": "Yosys failed: as it were"}
    assert not failed.measured
    rows = table(outcomes[str(pes[0])].measured)
    assert set(rows["target"]) == set(TARGETS)
    assert (rows[["useful_pj", "glitch_pj", "clock_pj", "input_pj", "area_um2", "leakage_uw"]] > 0).all(axis=None)
    classes = [name for name in rows.columns if name.endswith("_um2") and name != "area_um2"]
    assert rows[classes].sum(axis=1).to_numpy() == pytest.approx(rows["area_um2"].to_numpy())


def test_no_write_access_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        synthesise(PE.parse(PE_TEXT), Node("nangate45", (nangate45(),), tmp_path / "file"))
