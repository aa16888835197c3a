"""Runs where pynq is, on a simulated board: products and what can go wrong; prints what came out as JSON.

Arguments: the `.bit`, a `.npz` with operands, the folder for spoilt copies.
"""

import json
import shutil
import sys
from pathlib import Path

import board_overlay.fpga.simulated.device  # noqa: F401
import numpy as np
import pynq
from board_overlay.fpga.driver.board import GemmIP, load
from board_overlay.fpga.simulated.device import SimulationError

bitfile, operands, spoilt = Path(sys.argv[1]), np.load(sys.argv[2]), Path(sys.argv[3])
said = {"pynq": pynq.__version__}


def problem(act):
    try:
        act()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


gemm = load(bitfile, timeout_s=3)
said["pe"] = gemm.registers.text("pe")
count = int(operands["count"])


def product(number):
    arrays = {name.split("_", 1)[1]: operands[name] for name in operands.files if name.startswith(f"p{number}_")}
    weights, activations = arrays.pop("weights"), arrays.pop("activations")
    return gemm.multiply(weights, activations, arrays or None).tolist()


said["products"] = [product(number) for number in range(count)]

overlay = pynq.Overlay(str(bitfile), download=False)
said["driver"] = isinstance(overlay.core, GemmIP)
said["dma"] = type(overlay.dma).__name__
said["id"] = int(overlay.core.register_map.id)
said["by_name"] = problem(lambda: overlay.core.read(0xFFC))

# Memory of the device is not that of the host.
buffer = pynq.allocate((8,), "u1")
buffer[:] = 1
buffer.invalidate()
said["unflushed"] = np.array(buffer).tolist()
buffer[:] = 2
buffer.flush()
buffer[:] = 3
buffer.invalidate()
said["flushed"] = np.array(buffer).tolist()

# No start: nothing takes the operands, and the driver gives up; the next product is right.
pulse, gemm.registers.pulse, gemm.timeout_s = gemm.registers.pulse, lambda *_: None, 0.3
said["timeout"] = problem(lambda: product(0))
gemm.registers.pulse, gemm.timeout_s = pulse, 3
said["after"] = product(0)


def copy(change):
    shutil.rmtree(spoilt, ignore_errors=True)
    shutil.copytree(bitfile.parent, spoilt, ignore=lambda folder, names: [n for n in names if n == "sim"])
    change(spoilt / bitfile.name)
    return problem(lambda: load(spoilt / bitfile.name))


def replace(suffix, old, new):
    def change(path):
        file = path.with_suffix(suffix)
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    return change


table = json.loads(bitfile.with_suffix(".json").read_text())
build = next(register["reset"] for register in table["registers"] if register["name"] == "build")
said["build"] = copy(replace(".json", str(build), str(build ^ 1)))
said["width"] = copy(replace(".hwh", 'c_m_axis_mm2s_tdata_width" VALUE="64"', 'c_m_axis_mm2s_tdata_width" VALUE="32"'))
said["no_core"] = copy(replace(".hwh", ":hwexplore_gemm:1.0", ":another:1.0"))
said["no_hwh"] = copy(lambda path: path.with_suffix(".hwh").unlink())
assert issubclass(SimulationError, RuntimeError)
print(json.dumps(said))
