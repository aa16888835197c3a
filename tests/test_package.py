from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from shutil import copy, copytree, ignore_patterns
from zipfile import ZipFile

import pytest

import hwexplore

ROOT = Path(__file__).parents[1]


def test_importing_it_imports_nothing_heavy() -> None:
    program = "import sys, hwexplore; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "hwexplore" in loaded
    assert not {"numpy", "pandas", "scipy", "plotly", "amaranth", "typer"} & set(loaded)
    assert not [name for name in loaded if name.startswith("hwexplore.")]


def test_formats_import_numpy_only() -> None:
    """So that the board can use them."""
    program = "import sys, hwexplore.formats; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    ours = {name.split(".")[1] for name in loaded if name.startswith("hwexplore.")}
    assert ours == {"formats", "errors"}
    assert not {"pandas", "scipy"} & set(loaded)


@pytest.mark.parametrize("name", hwexplore.__all__)
def test_every_public_name_resolves(name: str) -> None:
    if name in ("rtl", "fpga"):
        pytest.importorskip("amaranth")
    assert getattr(hwexplore, name) is not None
    assert name in dir(hwexplore)


@pytest.mark.parametrize(
    "package", ["accelerator", "cli", "formats", "pe", "quality", "report", "search", "technology", "workloads"]
)
def test_every_public_name_of_a_package_resolves(package: str) -> None:
    module = import_module(f"hwexplore.{package}")
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        assert hasattr(module, name)


def test_version() -> None:
    assert hwexplore.__version__ == version("hwexplore")


def test_unknown_names() -> None:
    with pytest.raises(AttributeError, match="module 'hwexplore' has no attribute 'Formats'"):
        hwexplore.Formats  # noqa: B018


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names in a wheel that is built from a copy of the sources."""
    pytest.importorskip("setuptools", "77")
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("hwexplore", "models", "rtl", "fpga"):
        copytree(ROOT / name, source / name, symlinks=True, ignore=ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--wheel-dir", target]
    subprocess.run(command, cwd=source, capture_output=True, check=True)
    (built,) = target.glob("hwexplore-*.whl")
    with ZipFile(built) as archive:
        return archive.namelist()


def test_wheel_is_complete(wheel: list[str]) -> None:
    data = [f"hwexplore/models/{p.relative_to(ROOT / 'models')}" for p in (ROOT / "models").rglob("*.toml")]
    data += [f"hwexplore/models/{p.relative_to(ROOT / 'models')}" for p in (ROOT / "models").rglob("*.json")]
    page = [f"hwexplore/report/page.{suffix}" for suffix in ("html", "css", "js")]
    code = [f"hwexplore/{name}/__init__.py" for name in ("cli", "rtl", "fpga", "models", "formats", "pe")]
    assert {*data, *page, *code} <= set(wheel)


def test_wheel_installs_hwexplore_only(wheel: list[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert tops - {f"hwexplore-{hwexplore.__version__}.dist-info"} == {"hwexplore"}
    assert not [name for name in wheel if name.endswith((".pyc", ".ipynb"))]
