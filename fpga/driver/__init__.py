"""The driver of a core: what runs on the board, with NumPy and pynq alone."""
