"""SQL over the designs of explorations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from glob import escape
from tempfile import TemporaryDirectory

import pandas as pd

from hwexplore.accelerator import REASONS
from hwexplore.errors import InputError
from hwexplore.search.questions.run import Run

__all__ = ["query"]


def query(text: str, runs: Sequence[Run], most: int | None = None) -> pd.DataFrame:
    """What one SELECT in the SQL of DuckDB gives, its first ``most`` rows.

    Tables: ``designs``, every feasible design; ``front``, those on the front of their run; ``evaluated``, the
    infeasible ones too. Columns: ``run`` (its folder), ``id``, parameters, metrics, and in ``evaluated`` the ``reason``
    why a design is infeasible, otherwise empty. Constraints over metrics of a run decide its ``front`` alone. Nothing
    else can be read, and nothing is written. InputError where DuckDB is missing, and for what it does not accept.
    """
    try:
        import duckdb
    except ImportError:
        raise InputError("SQL needs the package duckdb; install it with: pip install 'hwexplore[sql]'") from None
    if len({run.path.resolve() for run in runs}) < len(runs):
        raise InputError(f"a folder is named twice: {', '.join(str(run.path) for run in runs)}")
    folders = [name for run in runs for name in (str(run.path.resolve()), escape(str(run.path.resolve())))]
    locks = {"autoinstall_known_extensions": False, "allowed_directories": folders, "enable_external_access": False}
    try:
        with TemporaryDirectory() as spill, duckdb.connect(config={"temp_directory": spill}) as connection:
            statements = connection.extract_statements(text)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise InputError(f"query {text!r} is not one SELECT; designs are only read")
            for name, definition in _views(runs).items():
                connection.execute(f"CREATE VIEW {name} AS {definition}")
            for option, value in {**locks, "lock_configuration": True}.items():
                connection.execute(f"SET {option} = {_literal(value)}")
            answer = connection.sql(text)
            rows: pd.DataFrame = (answer if most is None else answer.limit(most)).df()
            return rows
    except duckdb.Error as error:
        said = re.split(r"\n\s", str(error))[0]
        raise InputError(f"query {text!r}: {' '.join(said.split())}") from None


def _views(runs: Sequence[Run]) -> dict[str, str]:
    """The definition of each table."""
    evaluated, front = [], []
    for run in runs:
        name, files = _literal(str(run.path)), _literal([escape(str(part.resolve())) for part in run.parts])
        evaluated.append(
            f"SELECT {name} AS run, * REPLACE ({_literal(list(REASONS))}[reason + 1] AS reason) "
            f"FROM read_parquet({files}, hive_partitioning = false)"
        )
        ids = ", ".join(map(str, run.front_ids.tolist()))
        front.append(f"SELECT * FROM designs WHERE run = {name} AND id IN ({ids})")
    return {
        "evaluated": " UNION ALL BY NAME ".join(evaluated),
        "designs": "SELECT * EXCLUDE (reason) FROM evaluated WHERE reason = ''",
        "front": " UNION ALL ".join(front),
    }


def _literal(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return str(value).lower() if isinstance(value, bool) else "'" + str(value).replace("'", "''") + "'"
