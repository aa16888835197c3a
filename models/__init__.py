"""Data of the project: formats, technologies, accelerators, workloads."""
