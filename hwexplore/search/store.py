"""Every evaluated design in one Parquet file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.search.space import Space

__all__ = ["DesignFile", "read_metadata"]

KEY = "hwexplore"


class DesignFile:
    """A Parquet file that grows by a row group per chunk: id, parameters, metrics, reason.

    The first write replaces what was at ``path``. The file is readable after ``close`` or on leaving the context, also
    by an exception; only ``close`` gives it the metadata that :func:`read_metadata` returns.
    """

    def __init__(self, path: str | Path, space: Space) -> None:
        self.path = Path(path)
        self._space = space
        self._labels = {name: pa.array(space.labels(name)) for name in space.choices.values}
        self._writer: pq.ParquetWriter | None = None

    def write(self, ids: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> None:
        """Append the designs ``ids`` with their metrics [design]; InputError where the path cannot be written."""
        index = self._space.indices(ids)
        parameters = {
            name: pa.DictionaryArray.from_arrays(pa.array(index[name].astype(np.int32)), labels)
            for name, labels in self._labels.items()
        }
        table = pa.table({"id": ids, **parameters, **columns})
        if self._writer is None:
            try:
                self._writer = pq.ParquetWriter(self.path, table.schema)
            except OSError as error:
                raise InputError(f"output {self.path} cannot be written: {error.strerror}") from None
        self._writer.write_table(table)

    def close(self, metadata: Mapping[str, Any] | None = None) -> None:
        """Finish the file; ``metadata``, JSON-serialisable, mark a search that came to its end."""
        if self._writer is None:
            return
        if metadata is not None:
            self._writer.add_key_value_metadata({KEY: json.dumps(metadata)})
        self._writer.close()
        self._writer = None

    def __enter__(self) -> DesignFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_metadata(path: str | Path) -> dict[str, Any]:
    """What an exploration wrote about itself: space, workload, technology, objectives, constraints, front ids."""
    try:
        metadata = pq.read_metadata(path).metadata or {}
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path} is not a readable Parquet file: {error}") from None
    if KEY.encode() not in metadata:
        raise InputError(f"{path} was not written by hwexplore explore, or that run did not finish writing")
    return dict(json.loads(metadata[KEY.encode()]))
