"""Files of data sets in their original formats, with made contents, and a server of files on the loopback."""

import csv
import http.server
import itertools
import threading
import zipfile
from contextlib import contextmanager
from io import BytesIO, StringIO

import numpy as np
from scipy.io import savemat

from metricnets.datasets import _banking77, _caltech_silhouettes, _kinfacew, _mulan, _office_caltech


def matlab(**variables):
    file = BytesIO()
    savemat(file, variables)
    return file.getvalue()


def cells(values, shape):
    found = np.empty(shape, dtype=object)
    for index, value in zip(np.ndindex(*shape), values, strict=True):
        found[index] = value
    return found


def archive(**files):
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for name, contents in files.items():
            target.writestr(name, contents)
    return file.getvalue()


def labels(n, n_classes):
    """A column of labels from 1."""
    return np.arange(n)[:, None] % n_classes + 1


def arff(X, Y):
    """A nominal feature, numeric ones, and labels, the last row sparse."""
    lines = ["@relation 'made: -C 2'", "@attribute zone {1,2,3,4}"]
    lines += [f"@attribute 'feature {i}' numeric" for i in range(1, X.shape[1])]
    lines += [f"@attribute label{i} {{0,1}}" for i in range(Y.shape[1])]
    rows = [[f"{value:g}" for value in row] for row in np.hstack([X, Y])]
    sparse = "{" + ",".join(f"{i} {value}" for i, value in enumerate(rows[-1]) if value != "0") + "}"
    return "\n".join([*lines, "@data", *map(",".join, rows[:-1]), sparse])


def mulan(name="flags"):
    rng, sizes = np.random.default_rng(0), _mulan.SETS[name]
    parts = {}
    for part in ("train", "test"):
        n = getattr(sizes, part)
        X = np.column_stack([1 + np.arange(n) % 4, rng.integers(0, 9, (n, sizes.features - 1))])
        parts[part] = X, rng.integers(0, 2, (n, sizes.labels))
    names = "".join(f'<label name="label{i}"></label>' for i in range(sizes.labels))
    files = {f"{name}-{part}.arff": arff(*both) for part, both in parts.items()}
    files[f"{name}.xml"] = f'<?xml version="1.0"?><labels xmlns="http://mulan.sourceforge.net/labels">{names}</labels>'
    return {f"{name}.zip": archive(**files)}, parts


def ldl():
    Y = np.random.default_rng(0).dirichlet(np.ones(2), 2465)
    return {"Yeast_spoem.mat": matlab(features=np.ones((2465, 24)), labels=Y)}, Y


def office_caltech():
    files = {}
    for domain, n in _office_caltech.DOMAINS.items():
        counts = np.arange(n * 800).reshape(n, 800) % 7
        files[f"{domain}_SURF_L10.mat"] = matlab(fts=counts.astype(np.uint8), labels=labels(n, 10))
    return {"GFK_v1.zip": archive(**{f"ToRelease_GFK/data/{name}": file for name, file in files.items()})}, files


def mnist_usps():
    source, target = (np.linspace(0, 1, 256 * n).reshape(256, n) for n in (2000, 1800))
    file = matlab(X_src=source, X_tar=target, Y_src=labels(2000, 10), Y_tar=labels(1800, 10))
    return {"MNIST_vs_USPS.mat": file}, np.hstack([source, target]).T


def kinfacew():
    """Each image has one grey level, its number in the list; half of the pairs are kin."""
    from PIL import Image

    files, level = {}, 0
    for (relation, folder), n in zip(_kinfacew.RELATIONS.items(), _kinfacew.KIN["I"]):
        names = [[f"{relation}_{i + 1:03}_{person}.jpg" for person in (1, 2)] for i in range(n)]
        for name in itertools.chain(*names):
            files[f"KinFaceW-I/images/{folder}/{name}"] = jpeg(Image, level % 256)
            level += 1
        kin = [[1 + i % 5, 1, *names[i]] for i in range(n)]
        others = [[1 + i % 5, 0, names[i][0], names[i - 1][1]] for i in range(n)]
        table = cells(itertools.chain(*kin, *others), (2 * n, 4))
        files[f"KinFaceW-I/meta_data/{relation}_pairs.mat"] = matlab(pairs=table)
    return {"KinFaceW-I.zip": archive(**files)}, level


def jpeg(image, level):
    file = BytesIO()
    image.new("RGB", _kinfacew.SHAPE, (level, level, level)).save(file, "jpeg")
    return file.getvalue()


def viper():
    rng = np.random.default_rng(0)
    persons = [rng.permutation(632) + 1.0 for _ in range(100)]
    runs = np.zeros((1, 100), dtype=[("idxtrain", object), ("idxtest", object)])
    for i, order in enumerate(persons):
        runs[0, i] = order[None, :316], order[None, 316:]
    data = rng.standard_normal((76, 1264))
    return {"viper_features_MDF.mat": matlab(ux2=data), "viper_runs100.mat": matlab(runs=runs)}, (data, persons)


def wikipedia():
    sizes, features = {"tr": 2173, "te": 693}, {}
    for part, n in sizes.items():
        features |= {f"I_{part}": np.ones((n, 128)), f"T_{part}": np.ones((n, 10))}
    files = {"wikipedia_dataset/raw_features.mat": matlab(**features)}
    for part, n in (("train", 2173), ("test", 693)):
        lines = "".join(f"text{i}\timage{i}\t{label}\n" for i, label in enumerate(labels(n, 10).ravel()))
        files[f"wikipedia_dataset/{part}set_txt_img_cat.list"] = lines
    return {"wikipedia_dataset.zip": archive(**files)}, None


def binary_alphadigits():
    images = np.random.default_rng(0).integers(0, 2, (1404, 20, 16)).astype(np.uint8)
    return {"binaryalphadigs.mat": matlab(dat=cells(images, (36, 39)))}, images


def caltech_silhouettes():
    images, variables = {}, {}
    for i, (part, n) in enumerate(_caltech_silhouettes.SIZES.items()):
        images[part] = np.random.default_rng(i).integers(0, 2, (n, 28, 28)).astype(np.uint8)
        variables[f"{part}_data"] = images[part].transpose(0, 2, 1).reshape(n, 784)
        variables[f"{part}_labels"] = labels(n, 101)
    names = cells([f"class {i}" for i in range(101)], (1, 101))
    return {_caltech_silhouettes.NAME: matlab(classnames=names, **variables)}, images


def banking77():
    files = {}
    for part, n in zip(_banking77.CHECKSUMS, _banking77.SIZES):
        rows = [["text", "category"], *([f"How, {i}?", f"intent {i % 77:02}"] for i in range(n))]
        file = StringIO()
        csv.writer(file).writerows(rows)
        files[f"{part}.csv"] = file.getvalue().encode()
    return files, None


class Server:
    """What is sent for each path: (status, body, announced length), the last one again and again."""

    def __init__(self, url):
        self.url, self.answers, self.requests = url, {}, []

    def send(self, name, *bodies, status=200, announced=None):
        """Send ``bodies`` one after the other; returns the URL."""
        found = [(status, body, len(body) if announced is None else announced) for body in bodies]
        self.answers.setdefault(f"/{name}", []).extend(found)
        return f"{self.url}/{name}"


@contextmanager
def serving():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            server.requests.append(self.path)
            queue = server.answers.get(self.path, [(404, b"", 0)])
            status, body, announced = queue.pop(0) if len(queue) > 1 else queue[0]
            self.send_response(status)
            self.send_header("Content-Length", str(announced))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        server = Server(f"http://127.0.0.1:{listener.server_port}")
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        listener.shutdown()
        thread.join()
