"""Arrays, numbers, generators and sparse matrices."""

from __future__ import annotations

import math

import numpy as np
from scipy import sparse

from metricnets.persistence._containers import of_type, write_items
from metricnets.persistence._tensors import TYPES
from metricnets.persistence._tree import Kind, Reader, Writer, refusal

PORTABLE = "biufcSUmM"  # kinds of NumPy's types that are the same on all machines, but for long doubles
BIT_GENERATORS = {name: getattr(np.random, name) for name in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")}
SEED_SIZE = 1000  # numbers of which a seed consists, at most
LONGEST = 32  # letters of the name of a type
N_AXES = 32  # of an array, at most, as older versions of NumPy have it
PLACES = {"pos": 624, "buffer_pos": 4}  # of numbers that are drawn in advance: how many there are
SPARSE = {kind.__name__: kind for kind in (sparse.csr_matrix, sparse.csr_array, sparse.csc_matrix, sparse.csc_array)}


def portable(dtype: np.dtype) -> np.dtype:
    """Return a type of numbers, strings or times; ValueError for others, and those that differ between machines."""
    if dtype.kind not in PORTABLE or dtype.hasobject or not dtype.itemsize or dtype.char in "gG":
        raise ValueError(f"arrays of {dtype} are not supported.")
    return dtype


def _dtype_of(text):
    """The type of this name; ValueError if it is none that is written."""
    if type(text) is not str or len(text) > LONGEST:
        raise ValueError("it has a wrong name of a type of numbers.")
    return portable(np.dtype(text))


def _write_array(array, writer: Writer, where: str):
    if array.dtype.kind == "O":
        return {"objects": write_items(array.ravel().tolist(), writer, where), "shape": [*array.shape]}
    try:
        portable(array.dtype)
    except ValueError as error:
        raise TypeError(f"{where} cannot be saved: {error}") from None
    if array.dtype.str not in TYPES:
        raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        return {"name": writer.array(raw, where), "dtype": array.dtype.str, "shape": [*array.shape]}
    array = array if array.flags.forc else array.copy(order="K")
    if array.flags.fnc:  # products of it differ from those of the other order in their last bits
        return {"name": writer.array(array.T, where), "order": "F"}
    return {"name": writer.array(np.ascontiguousarray(array).reshape(array.shape), where)}


def _read_array(content, reader: Reader):
    if "objects" in content:
        values = reader.each(content["objects"])
        array = np.empty(len(values), dtype=object)
        for place, value in enumerate(values):  # at once, NumPy would take lists apart
            array[place] = value
        return array.reshape(_shape(content["shape"], len(values)))
    array = reader.arrays.pop(content["name"])  # each is in a file once
    if "dtype" in content:
        dtype = _dtype_of(content["dtype"])
        array = array.view(dtype).reshape(_shape(content["shape"], array.size // dtype.itemsize))
    if array.dtype == bool and array.view(np.uint8).max(initial=0) > 1:  # NumPy would count others wrongly
        raise ValueError("it has truth values other than 0 and 1.")
    return array.T if content.get("order") == "F" else array


def _write_masked(array, writer: Writer, where: str):
    return [writer(part, where) for part in (array.data, np.ma.getmaskarray(array))]


def _read_masked(content, reader: Reader):
    array, mask = (reader.of_type(part, np.ndarray) for part in content)
    if mask.dtype != bool or mask.shape != array.shape:
        raise ValueError("it has an array whose mask does not belong to it.")
    return np.ma.MaskedArray(array, mask=mask)


def _shape(numbers, size):
    """A shape of so many entries."""
    shape = tuple(map(int, numbers[: N_AXES + 1]))
    if len(shape) > N_AXES or min(shape, default=0) < 0 or math.prod(shape) != size:
        raise ValueError(f"it has {size} entries of an array of shape {shape}.")
    return shape


def _write_scalar(value, writer, where):
    try:
        return [portable(value.dtype).str, value.tobytes().hex()]
    except ValueError as error:
        raise TypeError(f"{where} cannot be saved: {error}") from None


def _read_scalar(content, reader):
    dtype, data = content
    data = np.frombuffer(bytes.fromhex(data), _dtype_of(dtype))
    return data.astype(bool)[0] if data.dtype == bool else data.reshape(())[()]


def _write_generator(generator, writer: Writer, where: str):
    bits = generator.bit_generator
    if type(bits).__name__ not in BIT_GENERATORS:
        raise TypeError(refusal(bits, where))
    seed = getattr(bits, "seed_seq", None)  # what further generators are spawned from
    spawned = seed.state if type(seed) is np.random.SeedSequence else None
    return {"state": writer(bits.state, f"{where}.state"), "seed": writer(spawned, f"{where}.seed")}


def _read_generator(content, reader: Reader):
    before, seed = reader.size, reader(content["seed"])
    if reader.size - before > SEED_SIZE:
        raise ValueError(f"the seed of a generator has more than {SEED_SIZE} numbers.")
    _check_seed([*(seed or {}).values()])
    if seed and seed["pool_size"] != np.random.SeedSequence(0).pool_size:
        raise ValueError(f"the seed of a generator has a pool of {seed['pool_size']}.")
    state = _checked_state(reader(content["state"]))
    bits = BIT_GENERATORS[state["bit_generator"]](np.random.SeedSequence(**seed) if seed else 0)
    bits.state = state
    return np.random.Generator(bits)


def _check_seed(value):
    """Raise ValueError unless a value consists of integers, as NumPy takes whatever can be iterated."""
    if isinstance(value, list | tuple):
        for part in value:
            _check_seed(part)
        return
    is_array = isinstance(value, np.ndarray) and value.dtype.kind in "iu" and value.size
    if not (value is None or isinstance(value, int | np.integer) or is_array):
        raise ValueError(f"the seed of a generator has a {type(value).__name__}.")


def _read_random_state(content, reader):
    state = _checked_state(reader(content))
    generator = np.random.RandomState(BIT_GENERATORS[state["bit_generator"]](0))
    generator.set_state(state)
    return generator


def _checked_state(state):
    """The state of a generator; ValueError for places out of range, which NumPy does not check."""
    for name, places in PLACES.items():
        if not 0 <= (state | state["state"]).get(name, 0) <= places:
            raise ValueError(f"the state of a generator has {name} out of range.")
    return state


def _write_sparse(matrix, writer: Writer, where: str):
    parts = {name: writer(getattr(matrix, name), f"{where}.{name}") for name in ("data", "indices", "indptr")}
    return {"format": type(matrix).__name__, "shape": [*map(int, matrix.shape)], **parts}


def _read_sparse(content, reader: Reader):
    parts = [reader.of_type(content[name], np.ndarray) for name in ("data", "indices", "indptr")]
    if not all(part.dtype.kind in kinds for part, kinds in zip(parts, ("biufc", "i", "i"))):
        raise ValueError("it has a sparse matrix of wrong types.")
    reader.use(*parts)
    matrix = SPARSE[content["format"]](tuple(parts), shape=tuple(map(int, content["shape"])))
    matrix.check_format(full_check=True)
    return matrix


KINDS = {
    "array": Kind(of_type(np.ndarray), _write_array, _read_array),
    "masked": Kind(of_type(np.ma.MaskedArray), _write_masked, _read_masked),
    "scalar": Kind(lambda value: isinstance(value, np.generic), _write_scalar, _read_scalar),
    "dtype": Kind(
        lambda value: isinstance(value, np.dtype),
        lambda value, *_: value.str,
        lambda text, _: _dtype_of(text),
    ),
    "RandomState": Kind(
        of_type(np.random.RandomState),
        lambda value, writer, where: writer(value.get_state(legacy=False), where),
        _read_random_state,
    ),
    "Generator": Kind(of_type(np.random.Generator), _write_generator, _read_generator),
    "sparse": Kind(lambda value: type(value) in SPARSE.values(), _write_sparse, _read_sparse),
}
