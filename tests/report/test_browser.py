"""The page in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hwexplore.report import payload, write_report
from hwexplore.search import Front, likely_front

if TYPE_CHECKING:
    from conftest import Browser

HOSTILE = "</script><img src=x onerror=document.title='taken'><b>bold"
DETAILED = 20
ROWS = "document.querySelectorAll('#table tbody tr').length"
TITLE = "document.getElementById('design-title').textContent"
PLOTS = ("front", "parallel", "roofline", "gap", "energy", "area")


@pytest.fixture(scope="module")
def loaded(front: Front, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """The page of a front whose workload has a hostile name and of which ``DETAILED`` designs have details."""
    path = tmp_path_factory.mktemp("browser") / "report.html"
    problem = replace(front.problem, workload=replace(front.problem.workload, name=HOSTILE))
    problem.__dict__["error"] = front.problem.error
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(payload, "DETAILED", DETAILED)
        write_report(replace(front, problem=problem), path)
    browser.open(path)
    return browser


@pytest.fixture
def page(loaded: Browser) -> Iterator[Browser]:
    """The loaded page with everything kept; fails if anything that a test did upset the console."""
    loaded.run("document.getElementById('clear').click()")
    yield loaded
    assert loaded.problems == []


def choose(page: Browser, control: str, value: str) -> None:
    page.run(f"""(() => {{ const control = document.getElementById({control!r}); control.value = {value!r};
        control.dispatchEvent(new Event(control.type === 'search' ? 'input' : 'change')); }})()""")


def test_draws_everything_offline(page: Browser, front: Front) -> None:
    for name in PLOTS:
        assert page.run(f"document.querySelectorAll('#{name} .main-svg').length > 0"), name
    assert page.run(ROWS) == len(front)
    assert page.run(TITLE) == f"Design {front.ids[0]}"
    assert page.run("document.querySelectorAll('#operators tbody tr').length") == len(front.problem.workload.operators)
    assert page.run("document.getElementById('format-costs').textContent.includes('requantization')")
    assert page.run("document.getElementById('operators').textContent.includes(' stay')")
    assert page.run("document.getElementById('bill').textContent.includes('full adder')")
    assert page.run("document.getElementById('commands').textContent").startswith(f"hwexplore explain {front.ids[0]} ")
    assert [url for url in page.requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_axes_have_titles_and_units(page: Browser) -> None:
    titles = "['{0}'].map((id) => document.getElementById(id).layout)[0].{1}.title.text"
    assert page.run(titles.format("front", "xaxis")) == "latency [s]"
    assert page.run(titles.format("front", "yaxis")) == "energy [J]"
    for name in ("roofline", "gap"):
        assert all(page.run(titles.format(name, axis)) for axis in ("xaxis", "yaxis"))


def test_click_on_a_point_selects_it(page: Browser, front: Front) -> None:
    before = page.run(TITLE)
    # the slowest design stands alone at the right
    x, y = page.run("""(() => { const plot = document.getElementById('front'); plot.scrollIntoView();
        const trace = plot.data.at(-2), box = plot.getBoundingClientRect(), { xaxis, yaxis } = plot._fullLayout;
        const last = trace.x.indexOf(Math.max(...trace.x));
        const [x, y] = [xaxis.d2p(trace.x[last]), yaxis.d2p(trace.y[last])];
        return [box.left + xaxis._offset + x, box.top + yaxis._offset + y]; })()""")
    page.mouse("mouseMoved", x - 3, y)
    page.mouse("mouseMoved", x, y)
    page.wait("document.querySelector('#front .hoverlayer .hovertext') !== null")
    page.mouse("mousePressed", x, y)
    page.mouse("mouseReleased", x, y)
    page.wait(f"{TITLE} !== {before!r}")
    chosen = int(page.run(TITLE).removeprefix("Design "))
    slowest = front.to_frame()["latency_s"].to_numpy()[front.ids == chosen]
    assert slowest == pytest.approx(front.to_frame()["latency_s"].max(), rel=0.05)
    assert page.run("document.querySelector('#card h3').textContent").endswith(str(chosen))
    assert str(chosen) in page.run("document.getElementById('commands').textContent")


def test_row_click_and_arrow_keys_select(page: Browser, front: Front) -> None:
    page.run("document.querySelectorAll('#table tbody tr')[2].click()")
    assert page.run(TITLE) == f"Design {front.ids[2]}"
    page.run("document.getElementById('table').focus()")
    for kind in ("keyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key="ArrowDown", code="ArrowDown", windowsVirtualKeyCode=40)
    assert page.run(TITLE) == f"Design {front.ids[3]}"
    assert page.run("document.querySelector('#table [aria-selected=true] td').textContent") == str(front.ids[3])


@pytest.mark.parametrize(("name", "title"), [("area_mm2", "area [mm²]"), ("policy", "policy"), ("cols", "columns")])
def test_axis_change(page: Browser, name: str, title: str) -> None:
    choose(page, "x", name)
    assert page.run("document.getElementById('front').layout.xaxis.title.text") == title
    choose(page, "x", "latency_s")


def test_colour_size_and_intervals(page: Browser, front: Front) -> None:
    choose(page, "colour", "policy")
    names = page.run("document.getElementById('front').data.filter((t) => t.showlegend).map((t) => t.name)")
    assert sorted(names) == sorted(front.to_frame()["policy"].unique())
    choose(page, "size", "area_mm2")
    assert page.run("new Set(document.getElementById('front').data.at(-2).marker.size).size") > 1
    assert not page.run("'error_x' in document.getElementById('front').data.at(-2)")
    page.run("document.getElementById('bars').click()")
    assert page.run("document.getElementById('front').data.at(-2).error_x.array.some((arm) => arm > 0)")
    page.run("document.getElementById('bars').click()")
    choose(page, "size", "")
    choose(page, "colour", "error")


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("hbm2", "dram == 'hbm2'"),
        ("INT4_g128 area_mm2<8", "policy.str.contains('int4_g128') and area_mm2 < 8"),
        ("cols>=256 rows=1", "cols >= 256 and rows == 1"),
    ],
)
def test_filter(page: Browser, front: Front, text: str, query: str) -> None:
    expected = len(front.to_frame().query(query))
    assert 0 < expected < len(front)
    choose(page, "filter", text)
    assert page.run(ROWS) == expected
    assert page.run("document.getElementById('shown').textContent") == f"{expected} of {len(front)} designs kept"
    page.run("document.getElementById('clear').click()")
    assert page.run(ROWS) == len(front)


def test_filter_without_a_match(page: Browser) -> None:
    choose(page, "filter", "no such design")
    assert page.run(ROWS) == 0


def test_sort(page: Browser, front: Front) -> None:
    first = "document.querySelector('#table tbody td').textContent"
    header = "[...document.querySelectorAll('#table th button')].find((b) => b.textContent === 'area')"
    page.run(f"{header}.click()")
    assert page.run(first) == str(front.ids[front.to_frame()["area_mm2"].argmin()])
    page.run(f"{header}.click()")
    assert page.run(first) == str(front.ids[front.to_frame()["area_mm2"].argmax()])


def test_brush_on_an_axis_filters(page: Browser, front: Front) -> None:
    x, top, bottom = page.run("""(() => { const plot = document.getElementById('parallel'); plot.scrollIntoView();
        const box = plot.getBoundingClientRect(), { xaxis, yaxis } = plot._fullLayout;
        const x = (v) => box.left + xaxis._offset + xaxis.d2p(v), y = (v) => box.top + yaxis._offset + yaxis.d2p(v);
        return [x(0.02), y(1.02), y(0.9)]; })()""")
    page.drag((x, top), (x, bottom))
    page.wait(f"{ROWS} < {len(front)}")
    assert page.run(ROWS) == (front.to_frame()["pe"] == "mac(int8, int8, acc=int32)").sum() > 0
    assert page.run("document.querySelector('#brushes button').textContent") == "PE ×"
    page.run("document.querySelector('#brushes button').click()")
    assert page.run(ROWS) == len(front)


def test_theme(page: Browser) -> None:
    ink = "document.getElementById('front')._fullLayout.font.color"
    background = "getComputedStyle(document.body).backgroundColor"
    before = page.run(f"[{ink}, {background}]")
    page.run("document.getElementById('theme').click()")
    after = page.run(f"[{ink}, {background}]")
    assert before[0] != after[0]
    assert before[1] != after[1]
    page.run("document.getElementById('theme').click()")
    assert page.run(f"[{ink}, {background}]") == before


def test_hostile_names_stay_text(page: Browser) -> None:
    assert page.run("document.getElementById('title').textContent") == f"{HOSTILE} decode on nangate45"
    assert page.run("document.title").startswith(HOSTILE)
    assert page.run("document.querySelectorAll('img, h1 b').length") == 0


def test_designs_without_details(page: Browser, front: Front) -> None:
    detailed = front.representatives(DETAILED).tolist()
    other = next(row for row in range(len(front)) if row not in detailed)
    visibility = "getComputedStyle(document.getElementById('roofline')).visibility"
    page.run(f"document.querySelector('#table tr[data-row=\"{other}\"]').click()")
    assert "this one is not among them" in page.run("document.getElementById('design-note').textContent")
    assert page.run(visibility) == "hidden"
    page.run(f"document.querySelector('#table tr[data-row=\"{detailed[0]}\"]').click()")
    assert page.run("document.getElementById('design-note').textContent") == ""
    assert page.run(visibility) == "visible"


def test_empty_front(front: Front, browser: Browser, tmp_path: Path) -> None:
    write_report(replace(front, ids=front.ids[:0], evaluated=0, feasible=0), tmp_path / "report.html")
    browser.open(tmp_path / "report.html")
    assert browser.run(TITLE) == "No design"
    assert browser.problems == []


def test_names_of_operators_are_no_markup(front: Front, browser: Browser, tmp_path: Path) -> None:
    """Names come from files: hovers, labels and tables show them letter by letter."""
    hostile = "<img src=x onerror=document.title='taken'><b>"
    workload = front.problem.workload
    operators = tuple(replace(operator, name=operator.name + hostile) for operator in workload.operators)
    problem = replace(front.problem, workload=replace(workload, operators=operators))
    problem.__dict__["error"] = front.problem.error
    path = tmp_path / "report.html"
    write_report(replace(front, problem=problem), path)
    browser.open(path)
    browser.wait("document.querySelectorAll('#operators tbody tr').length > 0")
    assert browser.run("document.title") != "taken"
    assert browser.run("document.querySelectorAll('img, #operators b, .plot b').length") == 0
    assert hostile in browser.run("document.getElementById('operators').textContent")
    for plot in ("roofline", "gap", "energy"):
        texts = "JSON.stringify(document.getElementById({!r}).data.map((t) => [t.text, t.hovertext, t.labels]))"
        drawn = browser.run(texts.format(plot))
        assert "&lt;img src=x" in drawn
        assert "<img" not in drawn
    assert browser.problems == []


def test_front_under_uncertainty(front: Front, browser: Browser, tmp_path: Path) -> None:
    likely = likely_front(front, draws=20)
    path = tmp_path / "report.html"
    write_report(front, path, likely)
    browser.open(path)
    browser.wait(f"{ROWS} > 0")
    assert browser.run(ROWS) == len(likely) > len(front)
    drawn = (
        "document.getElementById('front').data.flatMap((t) => Array.isArray(t.marker.symbol) ? t.marker.symbol : [])"
    )
    assert browser.run(f"{drawn}.filter((symbol) => symbol === 'circle-open').length") == len(likely) - len(front)
    assert browser.run("document.getElementById('colour').value") == "probability"
    assert f"{len(likely)} hold it whole with 95 % confidence" in browser.run(
        "document.getElementById('facts').textContent"
    )
    choose(browser, "filter", "nominal=yes")
    assert browser.run(ROWS) == len(front)
    choose(browser, "filter", "probability>0.5")
    assert browser.run(ROWS) == (likely.probability > 0.5).sum()
    overflow = (
        "Array.from(document.querySelectorAll('#card table')).some((t) => t.getBoundingClientRect().right > innerWidth)"
    )
    assert not browser.run(overflow)
    assert browser.problems == []
