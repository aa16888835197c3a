"""FP8 against INT8 multiply-accumulate units, by accumulator, for sums of equally many products."""

from __future__ import annotations

from hwexplore.claims.claim import Claim
from hwexplore.claims.comparison import ratio
from hwexplore.claims.setting import Quantity, Setting

__all__ = ["claims"]

RELAXED = Setting("nangate45", 5000)
BAALEN = "van Baalen et al., FP8 versus INT8, arXiv 2303.17951"
QUOTED = f"{BAALEN}, as quoted by a secondary source"
GATES = "They count gates of a first-order model, not synthesised; ours has registers, enable and clear in all units;"
FLOAT_LOOP = (
    "rounding, normalisation and special values of a floating-point addition come with every product, where INT8 has "
    "an addition of 28 bits. The ratio is one of accumulators, not of formats."
)


def claims() -> list[Claim]:
    """The claims, and what we find."""
    return [
        _ratio(
            "fixed-point-area",
            QUOTED,
            "E4M3 with a fixed-point (Kulisch) accumulator takes 53 % more gates than INT8",
            1.53,
            ("e4m3", "exact(4096)"),
            why=f"{GATES} they give E4M3 37 bits of sum, the width of one exact product; 4096 of them need 49.",
        ),
        _ratio(
            "fixed-point-area-short-sums",
            QUOTED,
            "E4M3 with a fixed-point (Kulisch) accumulator takes 53 % more gates than INT8",
            1.53,
            ("e4m3", "exact(128)"),
            why=f"{GATES} short sums save INT8 and E4M3 five bits each, a larger share of the INT8 unit.",
        ),
        _ratio(
            "fixed-point-energy",
            f"{BAALEN}, abstract",
            "FP8 is 50 to 180 % less efficient than INT8, here with a fixed-point accumulator",
            (1.5, 2.8),
            ("e4m3", "exact(4096)"),
            quantity="energy",
            why="Gates were counted, not toggled: an E4M3 significand product has 4 x 4 bits where INT8 has 8 x 8, and "
            "the small multiplier glitches less; the wide shifter and sum of E4M3 move few bits per product. The "
            "smallest INT8 netlist happens to be without full-adder cells, which would save a third of its energy.",
        ),
        _ratio(
            "fp32-area",
            QUOTED,
            "E4M3 with an FP32 accumulator takes 183 % more gates than INT8",
            2.83,
            ("e4m3", "fp32"),
            why=f"{GATES} {FLOAT_LOOP}",
        ),
        _ratio(
            "fp16-area",
            f"{BAALEN}, abstract",
            "FP8 is 50 to 180 % less efficient than INT8, here with an FP16 accumulator",
            (1.5, 2.8),
            ("e4m3", "fp16"),
            why=f"{GATES} {FLOAT_LOOP}",
        ),
        _ratio(
            "fp32-energy",
            f"{BAALEN}, abstract",
            "FP8 is 50 to 180 % less efficient than INT8, here with an FP32 accumulator",
            (1.5, 2.8),
            ("e4m3", "fp32"),
            quantity="energy",
            why="Gates were counted, not toggled: an INT8 multiplier toggles and glitches on every product, while much "
            "of a floating-point adder lies idle when exponents are far apart.",
        ),
        _ratio(
            "e5m2-fixed-point-area",
            f"{BAALEN}, abstract",
            "FP8 is 50 to 180 % less efficient than INT8, here E5M2 with a fixed-point accumulator",
            (1.5, 2.8),
            ("e5m2", "exact(4096)"),
            why="The range of E5M2 costs a sum of 77 bits; with a fixed-point accumulator it is the exponent that is "
            "expensive, which one band for all FP8 formats hides.",
        ),
        Claim(
            name="fp8/synthesis-power",
            paper="MGS, Natesh and Kung 2025, as quoted by a secondary source: 97.37 and 27.48 uW, ASAP7 after layout",
            statement="An E4M3 MAC takes 3.5 times the power of an INT8 MAC at 500 MHz and 0.7 V",
            quantity="energy per MAC, E4M3 / INT8",
            theirs=97.37 / 27.48,
            ours=ratio(
                "mac(e4m3, e4m3, acc=fp32, stages=2)",
                "mac(int8, int8, acc=int32, stages=2)",
                "energy",
                Setting("asap7", 2000),
            ),
            why="Their accumulators and operands are not known to us. Ours are Gaussian in both formats, and toggle an "
            "INT8 multiplier more than a small significand product; theirs includes wires and clock tree.",
        ),
    ]


def _ratio(
    name: str,
    paper: str,
    statement: str,
    theirs: float | tuple[float, float],
    unit: tuple[str, str],
    quantity: Quantity = "area",
    *,
    why: str,
) -> Claim:
    format, accumulator = unit
    terms = accumulator if accumulator.startswith("exact") else "exact(4096)"
    pe, reference = f"mac({format}, {format}, acc={accumulator})", f"mac(int8, int8, acc={terms})"
    label = "area per (MAC/s)" if quantity == "area" else "energy per MAC"
    return Claim(
        name=f"fp8/{name}",
        paper=paper,
        statement=statement,
        quantity=f"{label}, {format.upper()} / INT8",
        theirs=theirs,
        ours=ratio(pe, reference, quantity, RELAXED),
        why=why,
    )
