"""Points in the columns of Arrow tables and of Parquet files, a part at a time."""

import numpy as np

from metricnets._lazy import needed
from metricnets._tables import REAL

N_IN_BATCH = 2**22  # numbers of a part of an Arrow table


def points_of(table):
    """The columns of an Arrow table side by side, (n, d); ValueError for columns of other things than numbers."""
    arrow, parts = needed("pyarrow", "Batches"), []
    for name, column in zip(table.column_names, table.columns):
        values, kind = column.combine_chunks(), column.type
        values = values.chunk(0) if isinstance(values, arrow.ChunkedArray) and values.num_chunks == 1 else values
        if arrow.types.is_list(kind) or arrow.types.is_large_list(kind) or arrow.types.is_fixed_size_list(kind):
            lengths = needed("pyarrow.compute", "Batches").list_value_length(values).unique().to_pylist()
            if len(lengths) != 1 or not lengths[0]:
                raise ValueError(f"column {name!r} has lists of several lengths, or of none; points have one.")
            parts.append(values.flatten().to_numpy(zero_copy_only=False).reshape(len(values), -1))
        else:
            parts.append(values.to_numpy(zero_copy_only=False)[:, None])
        if parts[-1].dtype.kind not in REAL:
            raise ValueError(f"column {name!r} holds {kind}, and points are numbers; leave it out of the columns.")
    if not parts:
        raise ValueError("there is no column; give one or more.")
    return np.concatenate(parts, axis=1)


class Slices:
    """The points of parts of an Arrow table."""

    def __init__(self, table):
        self.table, self.size = table, max(1, N_IN_BATCH // points_of(table.slice(0, 1)).shape[1])

    def __len__(self):
        return max(1, -(-len(self.table) // self.size))

    def __getitem__(self, i):
        return points_of(self.table.slice(i * self.size, self.size))

    def lengths(self):
        """The number of rows of each part."""
        return [min(self.size, len(self.table) - i * self.size) for i in range(len(self))]


class RowGroups:
    """The points of the row groups of Parquet files."""

    def __init__(self, paths, columns):
        self.paths, self.columns, self.groups = paths, columns, []
        for path in paths:
            metadata = self._file(path).metadata
            self.groups += [(path, i, metadata.row_group(i).num_rows) for i in range(metadata.num_row_groups)]

    @staticmethod
    def _file(path):
        return needed("pyarrow.parquet", "Batches.from_parquet").ParquetFile(path)

    def __len__(self):
        return len(self.groups)

    def __getitem__(self, i):
        path, group, _ = self.groups[i]
        with self._file(path) as file:
            return points_of(file.read_row_group(group, columns=self.columns))

    def lengths(self):
        """The number of rows of each row group."""
        return [n for *_, n in self.groups]
