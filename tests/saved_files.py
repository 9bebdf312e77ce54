"""Files of ``metricnets.save``, taken apart and written again by what the format says, and wrong ones."""

import json
import random
import sys
import zlib

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file


def read(path):
    """The content of the header, and the arrays by name."""
    with safe_open(path, framework="numpy") as file:
        content = json.loads(file.metadata()["metricnets"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del content["crc32"]
    return content, arrays


def write(path, content, arrays):
    """Write a file whose checksum is right."""
    total = zlib.crc32(json.dumps(content).encode())
    for name in sorted(arrays):
        total = zlib.crc32(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode(), total)
        total = zlib.crc32(np.ascontiguousarray(arrays[name]), total)
    save_file(arrays, path, {"metricnets": json.dumps(content | {"crc32": total})})


def replaced(tree, old, new):
    """A tree in which every ``old`` is ``new``."""
    if tree == old:
        return new
    if isinstance(tree, dict):
        return {key: replaced(value, old, new) for key, value in tree.items()}
    return [replaced(value, old, new) for value in tree] if isinstance(tree, list) else tree


def changed_bytes(data, seed):
    """The bytes of a file with some changed, put in or left out, or another length of the header."""
    rng, changed = random.Random(seed), bytearray(data)
    first, last = sorted(rng.sample(range(len(data)), 2))
    way = seed % 5
    if way == 0:
        for place in rng.sample(range(len(data)), rng.choice((1, 1, 3, 20))):
            changed[place] ^= rng.randrange(1, 256)
    elif way == 1:
        del changed[last:]
    elif way == 2:
        changed[first:first] = rng.randbytes(rng.randrange(1, 9))
    elif way == 3:
        changed[:8] = rng.choice((0, 1, len(data), 10**8, 2**40, 2**63, 2**64 - 1)).to_bytes(8, "little")
    else:
        del changed[first:last]
    return bytes(changed)


ACTS = ("os.", "subprocess.", "socket.", "shutil.", "ctypes.", "pickle.", "urllib.", "webbrowser.", "ftplib.")
HARMLESS = {"os.listdir", "os.scandir", "os.walk"}  # imports look into folders


class Watch:
    """Context that collects what is done to the system meanwhile: files written, processes, connections, libraries."""

    def __init__(self):
        self.watching, self.found = False, []
        sys.addaudithook(self.hook)  # for good

    def hook(self, event, args):
        if self.watching:
            writes = event == "open" and (set(str(args[1])) & set("wax+"))
            if writes or (event.startswith(ACTS) and event not in HARMLESS):
                self.found.append((event, args))

    def __enter__(self):
        self.watching = True
        return self.found

    def __exit__(self, *error):
        self.watching = False


VALUES = (
    *(None, True, -1, 10**9, 1e308, "", "x", [], {}, {"same": 0}, {"same": -1}, {"same": 10**9}, {"list": []}),
    *({"tuple": [1]}, {"name": "os.system"}, {"name": "numpy.log"}, {"float": "nan"}, {"int": "0x" + "f" * 5000}),
    *({"scalar": ["<f8", "00"]}, {"scalar": ["|O", "00" * 8]}, {"dtype": "|O"}, {"range": [0, 10**12, 1]}),
    {"array": {"name": "components_", "dtype": "|O", "shape": [1]}},
    {"array": {"name": "components_", "dtype": "<U0", "shape": [2**40]}},
    {"object": {"class": "metricnets.LDA", "state": {}}},
    {"module": {"class": "torch.nn.Linear", "state": {}}},
    {"named_tuple": [{"name": "builtins.int"}]},
)


def places(tree, above=()):
    """The keys that lead to each part of a tree, the whole excluded."""
    entries = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in entries:
        yield (*above, key)
        yield from places(value, (*above, key))


def changed_content(content, arrays, seed):
    """Content and arrays, one of them changed: for files whose checksum is right, which somebody else wrote."""
    rng = random.Random(seed)
    content, arrays = json.loads(json.dumps(content)), dict(arrays)
    if seed % 3 == 0 and arrays:
        name = rng.choice([*arrays])
        array, noise = arrays[name], np.frombuffer(rng.randbytes(arrays[name].nbytes), arrays[name].dtype)
        others = (array.reshape(-1), array.reshape(-1)[:1], np.zeros(0), np.zeros((3, 3)), noise.reshape(array.shape))
        arrays[name] = rng.choice(others)
        return content, arrays
    *above, last = rng.choice([*places(content["value"])])
    parent = content["value"]
    for key in above:
        parent = parent[key]
    if rng.random() < 0.2:
        del parent[last]
    else:
        parent[last] = rng.choice(VALUES)
    return content, arrays
