"""What an exploration found: facts of designs, Plotly figures, one self-contained HTML page."""

from hwexplore.report.describe import describe
from hwexplore.report.figures import plot
from hwexplore.report.page import write_report

__all__ = ["describe", "plot", "write_report"]
