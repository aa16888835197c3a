"""All tensors of a file, one after the other; what is done is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from hwexplore.errors import InputError, unknown
from hwexplore.formats import Format
from hwexplore.quality.tensors.gguf import is_its_own_kind, read_gguf
from hwexplore.quality.tensors.measure import check_format, columns_of, measure
from hwexplore.quality.tensors.npz import read_npz
from hwexplore.quality.tensors.onnx import read_onnx
from hwexplore.quality.tensors.safetensors import read_safetensors
from hwexplore.quality.tensors.tensor import Tensor

__all__ = ["measure_tensors", "read_tensors"]

READERS: dict[str, Callable[[Path], list[Tensor]]] = {
    ".safetensors": read_safetensors,
    ".npz": read_npz,
    ".gguf": read_gguf,
    ".onnx": read_onnx,
}
Sweep = Mapping[Hashable | None, Any]
"""What a Parquet file says about itself."""
SAVED_EVERY_S = 2.0


def read_tensors(path: str | Path) -> list[Tensor]:
    """The tensors of a .safetensors, .npz, .gguf or .onnx file, none of their data read yet.

    InputError if the file cannot be read, is malformed or cut short.
    """
    path = Path(path)
    if path.suffix not in READERS:
        raise unknown("kind of file", str(path), READERS)
    return READERS[path.suffix](path)


def measure_tensors(
    path: str | Path,
    formats: Sequence[str | Format],
    out: str | Path | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> pd.DataFrame:
    """What each of ``formats`` does to each tensor of the file at ``path``, a row per tensor.

    Columns: name, shape, dtype, elements, std, crest_factor (max|x| / rms of the tensor), block_crest_factor (mean over
    blocks of 32), kurtosis (3 for Gaussian), distribution (the nearest of gaussian, laplace and student_t) and its nu,
    the SQNR in dB of each format under its name (inf where exact), winner_4b and the like where several formats have
    elements of that width, and skipped: why a tensor was not measured (empty, not floating point, NaN or infinity, all
    zero), "" if it was.

    Tensors are read in blocks of rows, so a file may be larger than the memory. With ``out``, a Parquet file, tensors
    that it already has from an earlier run on the same file and formats are not measured again, and it is kept up to
    date. ``progress`` is told how many tensors are done, of how many.

    Raises InputError for a file that cannot be read or is cut short, a format that weights cannot be cast to or were
    rounded to before, an ``out`` of something else, or if no tensor can be measured.
    """
    path = Path(path)
    parsed = [check_format(Format.parse(f) if isinstance(f, str) else f) for f in formats]
    if not parsed or len(set(parsed)) < len(parsed):
        raise InputError(f"formats are {', '.join(map(str, parsed)) or 'none'}; expected one or more different ones")
    tensors = read_tensors(path)
    for tensor, format in product(tensors, parsed):
        if is_its_own_kind(format, tensor.dtype):
            raise InputError(
                f"{format} is the kind of format that {tensor.name!r:.80} was rounded to before ({tensor.dtype}), "
                "so that it would come out too well; expected other formats, or the original weights"
            )
    sweep: Sweep = {"file": path.name, "bytes": path.stat().st_size, "formats": [str(f) for f in parsed]}
    done = {} if out is None else _resumed(Path(out), sweep)
    saved = time.monotonic()
    try:
        for number, tensor in enumerate(tensors):
            progress(number, len(tensors))
            if tensor.name not in done:
                done[tensor.name] = measure(tensor, parsed)
                if out is not None and time.monotonic() - saved > SAVED_EVERY_S:
                    _save(done, sweep, Path(out), parsed)
                    saved = time.monotonic()
    finally:
        if out is not None and done:
            _save(done, sweep, Path(out), parsed)
    frame = _frame(done, sweep, parsed)
    if not (frame.skipped == "").any():
        reason = f"; {frame.name[0]}: {frame.skipped[0]}" if len(frame) else ""
        raise InputError(f"{path} has no tensor that can be measured{reason}")
    return frame


def _frame(done: dict[str, dict[str, Any]], sweep: Sweep, formats: Sequence[Format]) -> pd.DataFrame:
    frame = pd.DataFrame(list(done.values()), columns=list(columns_of(formats)))
    frame.attrs = sweep
    return frame


def _resumed(out: Path, sweep: Sweep) -> dict[str, dict[str, Any]]:
    """The rows by tensor that an earlier run left."""
    if not out.parent.is_dir():
        raise InputError(f"output {out} cannot be written: there is no folder {out.parent}")
    if not out.exists():
        return {}
    try:
        frame = pd.read_parquet(out)
    except (OSError, pa.ArrowInvalid):
        raise InputError(f"output {out} is there and is no Parquet file of this command; name another") from None
    if frame.attrs != sweep:
        raise InputError(f"output {out} is of another file or other formats; name another")
    return {str(row["name"]): {str(key): value for key, value in row.items()} for row in frame.to_dict("records")}


def _save(done: dict[str, dict[str, Any]], sweep: Sweep, out: Path, formats: Sequence[Format]) -> None:
    temporary = out.with_name(f".{out.name}.part")
    try:
        _frame(done, sweep, formats).to_parquet(temporary)
        temporary.replace(out)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"output {out} cannot be written: {error.strerror}") from None
