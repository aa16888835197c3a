"""The board without a board: a pynq device whose registers and DMA are those of the simulated RTL."""
