"""What a user did that cannot be served, said in one sentence."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["InputError", "unknown"]


class InputError(ValueError):
    """Bad input: one sentence naming the field, the value and what would be accepted.

    The command line prints it and exits with code 2.
    """


def unknown(kind: str, name: object, known: Iterable[str]) -> InputError:
    """The error for a name that is not in a catalogue, with the nearest known names."""
    names = sorted(known)
    near = get_close_matches(str(name), names, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names)}."
    return InputError(f"unknown {kind} {name!r}; {hint}")
