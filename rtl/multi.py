"""Family ``multi``: one integer unit that trades precision for products per cycle at run time."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed

from hwexplore.pe import Multi
from hwexplore.rtl.core import Core, delayed
from hwexplore.rtl.fixed_adder import FixedAdder

__all__ = ["MultiCore"]


class MultiCore(Core):
    """A precision-scalable multiply-accumulate unit; ports as for every `Core`.

    Bits of signs enter the blocks as if they counted positive: their products with other bits are inverted, and what
    that adds, a constant of the mode, is taken off the sum of all blocks (Baugh and Wooley).

    Of ``pe.stages`` pipeline stages, the last is the accumulator; the registers of the others follow the sum of the
    products, from where synthesis may retime them into it.
    """

    pe: Multi

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe = self.pe
        halvings = len(self.mode) // 2
        of_activations, of_weights = self.mode[:halvings], self.mode[halvings:]
        activations = _digits(self.activation, pe.digits, of_weights)
        weights = _digits(self.weight, pe.digits, of_activations)
        activation_signs = _signs(pe.digits, of_activations, pe.activation_port.signed)
        weight_signs = _signs(pe.digits, of_weights, pe.weight_port.signed)

        columns = []
        for column, a_sign in enumerate(activation_signs):
            blocks = []
            for row, w_sign in enumerate(weight_signs):
                a, w = activations[row][column], weights[column][row]
                block = Signal(4, name=f"block_{row}_{column}")
                crossed = ((a[0] & w[1]) ^ w_sign) + ((a[1] & w[0]) ^ a_sign)
                m.d.comb += block.eq((a[0] & w[0]) + (crossed << 1) + (((a[1] & w[1]) ^ a_sign ^ w_sign) << 2))
                blocks.append(block)
            columns.append(_combined(m, f"column_{column}", blocks, of_weights))
        blocks_sum = _combined(m, "blocks_sum", columns, of_activations)

        correction: Value = Const(0)
        for mode in map(pe.in_mode, pe.modes):
            correction = Mux((self.mode ^ mode.mode_code).any(), correction, mode.sign_correction)
        total = Signal(signed(pe.cycle_bits))
        m.d.comb += total.eq(blocks_sum + correction)

        enable, term, clear = delayed(m, "cut", (self.enable, total, self.clear), pe.stages - 1)
        m.submodules.adder = adder = FixedAdder(
            width=pe.accumulator_bits, term=total.shape(), saturate=pe.accumulator.kind == "saturate"
        )
        m.d.comb += [adder.term.eq(term), adder.addend.eq(Mux(clear, self.start("accumulator"), self.accumulator))]
        with m.If(enable):
            m.d.sync += self.accumulator.eq(adder.sum)
        return m


def _digits(port: Value, digits: int, other_halved: Value) -> list[list[Value]]:
    """The digits of an operand for each digit of the other: those of a word for each number of the other."""
    words = [port.word_select(number, 2 * digits) for number in range(digits)]
    lines = []
    for line in range(digits):
        word = words[0]
        for halving, bit in enumerate(other_halved, start=1):
            word = Mux(bit, words[line >> len(other_halved) - halving], word)
        lines.append([word[2 * digit :][:2] for digit in range(digits)])
    return lines


def _signs(digits: int, halved: Value, has_sign: bool) -> list[Value]:
    """Whether each digit has the sign of its number in its upper bit."""
    if not has_sign:
        return [Const(0, 1)] * digits
    places = [(digit & -digit).bit_length() for digit in range(1, digits)]
    return [*(halved[len(halved) - place] for place in places), Const(1, 1)]


def _combined(m: Module, name: str, values: list[Signal], halved: Value) -> Signal:
    """The sum of ``values``; neighbours, of ever wider numbers, belong to one and are shifted, or to two."""
    for level, apart in enumerate(reversed(halved)):
        pairs = list(zip(values[::2], values[1::2], strict=True))
        values = [Signal(len(low) + (2 << level), name=f"{name}_{level}_{n}") for n, (low, _) in enumerate(pairs)]
        for total, (low, high) in zip(values, pairs, strict=True):
            m.d.comb += total.eq(low + Mux(apart, high, high << (2 << level)))
    return values[0]
