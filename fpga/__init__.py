"""The FPGA target: overlay, driver, simulated device."""
