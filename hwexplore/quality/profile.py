"""Profiles: how much each format in each layer is predicted to add to a network's loss."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hwexplore.errors import InputError, unknown
from hwexplore.workloads import OperandFormat
from hwexplore.workloads.policy import OPERANDS

__all__ = ["PROXIES", "Profile"]

COLUMNS = ("layer", "operand", "format", "loss_increase")
PROXIES = {
    "one_at_a_time": "measured with nothing else quantized (AdaQuant, arXiv 2006.10518)",
    "divergence": "KL divergence from the exact predictions, in bits, measured with nothing else quantized",
    "hessian": "mean trace of the Hessian x squared quantization error (HAWQ-V2, arXiv 1911.03852)",
    "fisher": "mean square of gradient x quantization error (empirical Fisher information, diagonal for weights)",
}
"""How the loss increases of a profile were obtained."""
KEY = b"hwexplore_profile"


@dataclass(frozen=True, kw_only=True, eq=False)
class Profile:
    """Predicted loss increases of one network, a row per layer, operand and format of ``table``.

    Its columns: ``layer``, an operator's name or any run of its parts, as in the overrides of a policy; ``operand``,
    weights, activations or kv_cache; ``format``, as an operand's in a policy but without the place of its scales;
    ``loss_increase``, in units of ``metric``, of that operand in that format and all others unquantized.

    ``network`` is what was profiled, ``metric`` what is lost (such as "nats per token"), ``proxy`` one of `PROXIES`,
    ``source`` the data and the tool. Raises InputError for a table that is not of this form.
    """

    network: str
    metric: str
    proxy: str
    source: str
    table: pd.DataFrame = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("network", "metric", "source"):
            if not (isinstance(text := getattr(self, name), str) and text.strip()):
                raise InputError(f"profile: {name} is {text!r}; expected a text that says it")
        if self.proxy not in PROXIES:
            raise unknown("proxy of a profile", self.proxy, PROXIES)
        object.__setattr__(self, "table", _checked(self.table))

    @classmethod
    def read(cls, path: str | Path) -> Profile:
        """The profile in a Parquet file that :meth:`write` wrote, or another tool in the same schema."""
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"profile {path} cannot be read as Parquet: {error}") from None
        try:
            texts = json.loads((table.schema.metadata or {}).get(KEY, b"null"))
        except ValueError:
            texts = None
        names = [field.name for field in fields(cls) if field.name != "table"]
        if not isinstance(texts, dict) or set(texts) != set(names):
            raise InputError(
                f"profile {path}: its metadata {KEY.decode()!r} must be a JSON object of {', '.join(names)}"
            )
        try:
            return cls(**texts, table=table.to_pandas(ignore_metadata=True))
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    def write(self, path: str | Path) -> None:
        """Write the profile as Parquet; InputError where that cannot be."""
        texts = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "table"}
        table = pa.Table.from_pandas(self.table, preserve_index=False)
        try:
            pq.write_table(table.replace_schema_metadata({KEY: json.dumps(texts)}), path)
        except OSError as error:
            raise InputError(f"output {path} cannot be written: {error.strerror}") from None

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers, in the order of the table."""
        return tuple(dict.fromkeys(self.table["layer"]))

    @cached_property
    def increases(self) -> dict[tuple[str, str, str], float]:
        """Loss increase by layer, operand and format."""
        keys = self.table[["layer", "operand", "format"]].itertuples(index=False, name=None)
        return dict(zip(keys, self.table["loss_increase"].tolist(), strict=True))


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise InputError(f"profile: column {missing[0]} is missing; expected {', '.join(COLUMNS)}")
    if table.empty:
        raise InputError("profile: it has no rows, hence no format to choose")
    for name in COLUMNS[:-1]:
        for row, text in enumerate(table[name]):
            if not (isinstance(text, str) and text):
                raise InputError(f"profile, row {row}: {name} is {text!r}; expected a text")
    if not pd.api.types.is_numeric_dtype(table["loss_increase"]):
        raise InputError(f"profile: loss_increase is of type {table['loss_increase'].dtype}; expected numbers")
    increases = table["loss_increase"].to_numpy(float)
    for row in np.flatnonzero(~np.isfinite(increases)).tolist():
        raise InputError(f"profile, row {row}: loss_increase is {increases[row]}; expected a finite number")
    for operand in set(table["operand"]) - set(OPERANDS):
        raise unknown("operand of a profile", operand, OPERANDS)
    formats = {text: _format(text) for text in dict.fromkeys(table["format"])}
    checked = pd.DataFrame(
        {**{name: table[name].to_list() for name in COLUMNS[:2]}, "format": table["format"].map(formats).to_list()}
    )
    for row in np.flatnonzero(checked.duplicated()).tolist():
        raise InputError(
            f"profile, row {row}: {' '.join(checked.iloc[row])} was there before; expected one row of each"
        )
    return checked.assign(loss_increase=increases)


def _format(text: str) -> str:
    """The format's own text; InputError where it is none, or says where scales are applied."""
    if "@" in text:
        raise InputError(f"profile: format {text!r} says where scales are applied; expected storage[>compute]")
    try:
        return str(OperandFormat.parse(text))
    except InputError as error:
        raise InputError(f"profile: {error}") from None
