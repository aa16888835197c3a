"""Every evaluated design in a folder of Parquet files, which survives whatever ends the search."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.search.front import Front, Problem
from hwexplore.search.identity import digest, identity
from hwexplore.writing import write_whole

__all__ = ["Chunk", "DesignFolder", "read_metadata"]

RUN = "_run.json"
"""Which search the folder belongs to; files with an underscore are none to readers of Parquet folders."""
FRONT = "_front.json"
"""What came out."""
PART = re.compile(r"(\d{12})-([0-9a-f]{16})\.parquet")
TEMPORARY = re.compile(rf"\.({PART.pattern}|{RUN}|{FRONT})\.\d+")
"""What a run that was ended while it wrote leaves."""
KEY = b"hwexplore"
LONGEST_QUOTE = 60
"""Most characters that an error quotes."""
DIGITS = 16
"""Hexadecimal digits of a part's checksum."""

Columns = dict[str, NDArray[Any]]


class Chunk(NamedTuple):
    """Designs with their metrics, arrays [design]: whether an earlier run left them, and its damaged parts of them."""

    ids: NDArray[np.int64]
    columns: Columns
    reused: bool = False
    damaged: tuple[str, ...] = ()

    def of(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Chunk:
        """Those of its designs that are marked, or numbered."""
        return self._replace(ids=self.ids[rows], columns={name: column[rows] for name, column in self.columns.items()})


class DesignFolder:
    """A folder with a Parquet file, a part, per chunk of a search: id, parameters, metrics, reason.

    A part bears the id of its first design and the checksum of its bytes as name, and appears under it when it is
    whole: after any end of the search the folder holds whole parts alone. With ``resume`` a search takes the designs of
    an earlier run of the same search from their parts. What has not the checksum is not believed: it is removed, named
    in ``damaged``, and evaluated again. ``reused`` counts the designs that were taken.
    """

    def __init__(self, path: str | Path, resume: bool = False) -> None:
        self.path = Path(path)
        self.resume = resume
        self.damaged: list[str] = []
        self.reused = 0
        self._parts: dict[int, list[str]] = {}

    def begin(self, problem: Problem, chunk: int) -> None:
        """Make the folder, or take up that of an earlier run; InputError if it holds something else.

        ``chunk`` is how many designs a part holds at most; 0 for a front alone, as `keep` writes it.
        """
        run = identity(problem, chunk)
        self._run = digest(run)
        self._labels = {name: pa.array(problem.space.labels(name)) for name in problem.space.choices.values}
        self._indices = problem.space.indices
        try:
            self.path.mkdir(exist_ok=True)
            names = sorted(file.name for file in self.path.iterdir())
        except OSError as error:
            raise InputError(f"output {self.path} cannot be written: {error.strerror}") from None
        for name in names:
            if TEMPORARY.fullmatch(name):
                self._remove(name)
            elif match := PART.fullmatch(name):
                self._parts.setdefault(int(match[1]), []).append(name)
        if self._parts or RUN in names:
            if not self.resume:
                raise InputError(f"output {self.path} holds a run already; go on with it by --resume, or name another")
            self._check(run)
        elif not all(map(TEMPORARY.fullmatch, names)):
            raise InputError(f"output {self.path} is a folder that hwexplore explore did not write; name another")
        write_whole(self.path / RUN, json.dumps({"run": run, "sha256": self._run}, indent=2))

    def chunk(self, ids: NDArray[np.int64], evaluate: Callable[[], Columns]) -> Chunk:
        """The designs ``ids`` from the part that has them; without one they are evaluated and become a part."""
        whole: Columns | None = None
        damaged = []
        for name in self._parts.get(int(ids[0]), []):
            table = self._table(name)
            if whole is None and table is not None and np.array_equal(table["id"].to_numpy(), ids):
                own = [column for column in table.column_names if column not in ("id", *self._labels)]
                whole = {column: table[column].to_numpy() for column in own}
            else:
                damaged.append(name)
                self._remove(name)
        columns = evaluate() if whole is None else whole
        if whole is None:
            self._write(ids, columns)
        return Chunk(ids, columns, whole is not None, tuple(damaged))

    def keep(self, front: Front) -> None:
        """Write the designs of a front, of a search that does not evaluate every design."""
        if len(front):
            ids = np.sort(front.ids)
            self._write(ids, front.problem.evaluator(front.problem.space.indices(ids)))

    def count(self, designs: int, chunk: Chunk) -> None:
        """Add what a chunk of so many designs came from to ``reused`` and ``damaged``; other processes cannot."""
        self.reused += designs if chunk.reused else 0
        self.damaged += chunk.damaged

    def close(self, metadata: Mapping[str, Any]) -> None:
        """Write what came out, JSON-serialisable, for :func:`read_metadata`."""
        write_whole(self.path / FRONT, json.dumps(metadata))

    def _write(self, ids: NDArray[np.int64], columns: Columns) -> None:
        index = self._indices(ids)
        parameters = {
            name: pa.DictionaryArray.from_arrays(pa.array(index[name].astype(np.int32)), labels)
            for name, labels in self._labels.items()
        }
        table = pa.table({"id": ids, **parameters, **columns}).replace_schema_metadata({KEY: self._run})
        buffer = pa.BufferOutputStream()
        pq.write_table(table, buffer, use_dictionary=list(parameters), compression="zstd")
        content = buffer.getvalue().to_pybytes()
        try:
            write_whole(self.path / f"{ids[0]:012d}-{checksum(content)}.parquet", content)
        except InputError as error:
            raise InputError(f"{error}; the designs before it are kept, --resume goes on from there") from None

    def _check(self, run: Mapping[str, Any]) -> None:
        """InputError if the folder belongs to another search."""
        try:
            found = json.loads((self.path / RUN).read_text("utf-8"))
            theirs = found["run"]
            whole = digest(theirs) == found["sha256"]
        except (OSError, ValueError, TypeError, KeyError):
            whole = False
        if not whole:
            self.damaged.append(RUN)
            return
        for name, value in run.items():
            if theirs.get(name) != value:
                texts = f": {theirs.get(name)!r}, not {value!r}" if len(str(value)) < LONGEST_QUOTE else ""
                raise InputError(f"output {self.path} holds a run with another {name}{texts}; name another output")

    def _remove(self, name: str) -> None:
        with suppress(OSError):
            (self.path / name).unlink()

    def _table(self, name: str) -> pa.Table | None:
        """The table in a part, None if it is damaged; InputError if it is that of another search."""
        try:
            content = (self.path / name).read_bytes()
        except OSError:
            return None
        match = PART.fullmatch(name)
        if match is None or checksum(content) != match[2]:
            return None
        try:
            table = pq.read_table(pa.BufferReader(content))
        except (OSError, pa.ArrowException):
            return None
        if (table.schema.metadata or {}).get(KEY) != self._run.encode():
            raise InputError(f"{self.path / name} is from another search; move it out of the folder")
        return table


def checksum(content: bytes) -> str:
    return sha256(content).hexdigest()[:DIGITS]


def read_metadata(path: str | Path) -> dict[str, Any]:
    """What an exploration wrote about itself: space, workload, technology, objectives, constraints, front ids."""
    try:
        return dict(json.loads((Path(path) / FRONT).read_text("utf-8")))
    except (OSError, ValueError) as error:
        if (Path(path) / RUN).exists() and isinstance(error, FileNotFoundError):
            raise InputError(f"{path}: that run did not finish; hwexplore explore --resume finishes it") from None
        raise InputError(f"{path} is not a folder that hwexplore explore wrote: {error}") from None
