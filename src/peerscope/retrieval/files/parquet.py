"""Parquet as a table: row group by row group, so that a damaged one leaves the others readable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peerscope.retrieval.files.problems import FileError, Problems, Unfit
from peerscope.retrieval.files.tables import BATCH, Batch

if TYPE_CHECKING:
    import pyarrow

NO_PYARROW = "Reading Parquet needs pyarrow: `pip install 'peerscope[parquet]'`."


class ParquetTable:
    """A Parquet file; nothing but its footer is read before the rows are asked for."""

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow
            from pyarrow import parquet
        except ModuleNotFoundError as error:
            raise FileError(NO_PYARROW) from error
        try:
            self._file = parquet.ParquetFile(path)
            schema = self._file.schema_arrow
        except (pyarrow.ArrowException, OSError) as error:
            raise FileError(
                f"{path.name} is a broken or truncated Parquet file ({_first_line(error)}). Export it again."
            ) from error
        self.name = path.name
        self.columns = tuple(schema.names)
        if len(set(self.columns)) != len(self.columns):
            raise FileError(
                f"{path.name} has a column twice: {', '.join(self.columns)}. Rename one."
            )
        self.total: int | None = self._file.metadata.num_rows
        self.kinds = {field.name: kind_of(field.type) for field in schema}

    def batches(self, problems: Problems) -> Iterator[Batch]:
        """The rows, counted from 1."""
        import pyarrow

        first = 1
        readable = [name for name, kind in self.kinds.items() if kind != "other"]
        for group in range(self._file.num_row_groups):
            size = self._file.metadata.row_group(group).num_rows
            done = 0
            try:
                for found in self._file.iter_batches(
                    BATCH, row_groups=[group], columns=readable, use_threads=False
                ):
                    number = found.num_rows
                    columns = {
                        name: _values(column)
                        for name, column in zip(found.schema.names, found.columns, strict=True)
                    }
                    yield Batch(range(first + done, first + done + number), columns)
                    done += number
            except (pyarrow.ArrowException, OSError) as error:
                for row in range(first + done, first + size):
                    problems.add(self.name, row, None, _DAMAGED, _first_line(error))
            first += size


_DAMAGED = Unfit("in a damaged part of the file", "Export it again; the other parts went in.")


def kind_of(stated: pyarrow.DataType) -> str:
    """The kind of a column's values in our words; ``list of ...`` for lists."""
    from pyarrow import types

    if types.is_dictionary(stated):
        return kind_of(stated.value_type)
    if types.is_list(stated) or types.is_large_list(stated) or types.is_fixed_size_list(stated):
        return f"list of {kind_of(stated.value_type)}"
    kinds = (
        ("string", (types.is_string, types.is_large_string, types.is_string_view)),
        ("integer", (types.is_integer,)),
        ("float", (types.is_floating,)),
        ("boolean", (types.is_boolean,)),
        ("time", (types.is_timestamp, types.is_date)),
        ("nothing", (types.is_null,)),
    )
    return next((kind for kind, tests in kinds if any(test(stated) for test in tests)), "other")


def _values(column: pyarrow.Array) -> list[Any]:
    """The values as Python has them; a time that Python has no name for is a missing one."""
    import pyarrow
    from pyarrow import types

    stated = column.type
    if types.is_timestamp(stated) and stated.unit == "ns":
        column = column.cast(pyarrow.timestamp("us", stated.tz), safe=False)
    try:
        found: list[Any] = column.to_pylist()
    except (ValueError, OverflowError, pyarrow.ArrowException):
        found = [_value(cell) for cell in column]
    return found


def _value(cell: Any) -> Any:
    try:
        return cell.as_py()
    except (ValueError, OverflowError):
        return None


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
