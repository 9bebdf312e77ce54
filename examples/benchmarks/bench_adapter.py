"""Recall at 10 with and without ``QueryAdapter``, by the number of pairs from which it is learned.

news20, 1000 frequent words: queries and documents are parts of one text, in 200 latent semantic components of unit
norm, which were computed from the training texts.

- frequencies, tf-idf: the query has 8 words of the text drawn without replacement, the document has the others.
- disjoint: the query has one half of the distinct words and the document the other, so that they share none.

Each query has one relevant document among the bodies of 4000 test texts.

banking77, embeddings of questions by a public sentence encoder: an index of ten questions of each of 77 intents.

- questions: a pair is a question and an indexed question of its intent, drawn at random; relevant to a test question
  are the ten of its intent, and recall is the share of them among the ten nearest.
- unseen: the same, with pairs of 50 intents and test questions of the 27 others, still among all 770; the
  intents of the pairs are given as ``groups``.
- descriptions: the index has one question of each intent, that with the smallest mean distance to the ten; recall at 1.

olivetti, left halves: pixels of faces in 32 × 32; the query is a face whose right half is 0, and its document the face,
among all 400; recall at 5.

The adapter has its defaults; λ and T are chosen within the pairs.  Pairs, index and split of words are drawn for each
seed; ± is the standard error of the mean, of the gain over the raw embeddings in each draw.
"""

import time

import joblib
import numpy as np
from _options import folder_of, parser_of
from _tables import show
from sklearn.decomposition import TruncatedSVD
from sklearn.preprocessing import normalize

from metricnets import QueryAdapter
from metricnets.metrics import retrieval_scores

FILES = ["news20_w1000.npz", "banking77_minilm.npz", "olivetti.npz"]
N_PAIRS, N_INDEXED, N_TEXTS, LENGTH = (20, 50, 100, 500, 2000), 10, 4000, 8
ABLATIONS = {
    "rank 16": {"n_components": 16},
    "any rank": {"n_components": None},
    "100 negatives": {"n_negatives": 100},
    "100 at random": {"n_negatives": 100},
}


def drawn_words(counts, rng, disjoint):
    """Counts of the words of queries, and of the rest of each text."""
    queries = np.zeros_like(counts)
    for text, words in zip(queries, counts):
        tokens = np.flatnonzero(words) if disjoint else np.repeat(np.arange(len(words)), words)
        chosen = rng.permutation(tokens)[: len(tokens) // 2 if disjoint else LENGTH]
        np.add.at(text, chosen, words[chosen] if disjoint else 1)
    return queries, counts - queries


def news(folder, seed, *, disjoint=False, idf=True):
    """Training queries and documents, test queries and documents, and the document of each test query."""
    with np.load(folder / FILES[0], allow_pickle=True) as file:
        counts, parts = file["X"].astype(int), (file["train"], file["test"])
    rng = np.random.default_rng(seed)
    long = (counts > 0).sum(axis=1) >= 2 * LENGTH
    train, test = (rng.permutation(part[long[part]])[:N_TEXTS] for part in parts)
    queries, bodies = (np.split(words, 2) for words in drawn_words(counts[np.r_[train, test]], rng, disjoint))
    rarity = np.log((1 + N_TEXTS) / (1 + (counts[train] > 0).sum(axis=0))) + 1 if idf else 1.0

    def weighted(words):
        return normalize(np.log1p(words) * rarity if idf else words.astype(float))

    svd = TruncatedSVD(200, random_state=0).fit(weighted(counts[train]))
    embedded = [normalize(svd.transform(weighted(words))).astype(np.float32) for words in (*queries, *bodies)]
    chosen = np.arange(1000)
    return embedded[0], embedded[2], embedded[2], embedded[1][chosen], embedded[3], chosen, np.arange(N_TEXTS), None


def banking(folder, seed, *, unseen=False, descriptions=False):
    """The same with classes of queries and documents."""
    with np.load(folder / FILES[1], allow_pickle=True) as file:
        X, y, train, test = normalize(file["X"].astype(np.float32)), file["y"], file["train"], file["test"]
    rng = np.random.default_rng(seed)
    train, intents = rng.permutation(train), rng.permutation(77)
    indexed = np.concatenate([train[y[train] == intent][:N_INDEXED] for intent in range(77)])
    rest = np.setdiff1d(train, indexed)
    if unseen:
        rest, test = rest[np.isin(y[rest], intents[:50])], test[np.isin(y[test], intents[50:])]
    if descriptions:
        ten = X[indexed].reshape(77, N_INDEXED, -1)
        nearest = (ten @ ten.mean(axis=1)[:, :, None])[..., 0].argmax(axis=1)
        indexed = indexed.reshape(77, N_INDEXED)[np.arange(77), nearest]
    rest = rng.permutation(rest)[: max(N_PAIRS)]
    matched = [rng.choice(indexed[y[indexed] == y[row]]) for row in rest]
    return X[rest], X[matched], X[indexed], X[test], X[indexed], y[test], y[indexed], y[rest] if unseen else None


def faces(folder, seed):
    with np.load(folder / FILES[2]) as file:
        X = file["X"].astype(float).reshape(-1, 32, 2, 32, 2).mean(axis=(2, 4))
    X = X[np.random.default_rng(seed).permutation(len(X))]
    halves, X = (X * np.repeat([1, 0], 16)).reshape(len(X), -1), X.reshape(len(X), -1)
    rows = np.arange(len(X))
    return halves[:200], X[:200], X, halves[200:], X, rows[200:], rows, None


SETTINGS = {
    "news20, frequencies": (news, {"idf": False}, 10),
    "news20, tf-idf": (news, {}, 10),
    "news20, disjoint": (news, {"disjoint": True}, 10),
    "banking77, questions": (banking, {}, 10),
    "banking77, unseen": (banking, {"unseen": True}, 10),
    "banking77, descriptions": (banking, {"descriptions": True}, 1),
    "olivetti, left halves": (faces, {}, 5),
}


def measured(folder, setting, seed, n_pairs, ablation=None):
    """Recall without and with the adapter, and seconds of its fit; ``n_pairs`` may be several."""
    load, options, k = SETTINGS[setting]
    X, Y, pool, queries, documents, y, y_documents, topics = load(folder, seed, **options)
    if ablation == "100 at random":
        pool = pool[np.random.default_rng(seed).choice(len(pool), 100, replace=False)]

    def recall(Z):
        return retrieval_scores(Z, y, documents, y_documents, k=k)["recall_at_k"]

    raw, found = recall(queries), {}
    for n in n_pairs:
        begin = time.perf_counter()
        given = {"documents": pool, "groups": topics if topics is None else topics[:n]}
        adapter = QueryAdapter(**ABLATIONS.get(ablation, {})).fit(X[:n], Y[:n], **given)
        found[n] = recall(adapter.transform(queries)), time.perf_counter() - begin
    return raw, found


def cell(values, raw):
    """Mean recall, and the standard error of the gain."""
    error = f" ± {np.std(np.subtract(values, raw), ddof=1) / len(raw) ** 0.5:.3f}" if len(raw) > 1 else ""
    return f"{np.mean(values):.3f}{error}"


def row_of(folder, options, setting, n_pairs, ablation=None):
    jobs = [joblib.delayed(measured)(folder, setting, seed, n_pairs, ablation) for seed in range(options.seeds)]
    raw, found = zip(*joblib.Parallel(n_jobs=options.jobs)(jobs))
    worst = min(draw[n][0] - before for before, draw in zip(raw, found) for n in n_pairs)
    cells = [cell([draw[n][0] for draw in found], raw) for n in n_pairs]
    seconds = np.mean([draw[max(n_pairs)][1] for draw in found])
    return [f"{np.mean(raw):.3f}", *cells, f"{worst:+.3f}", f"{seconds:.1f}"]


def main():
    parser = parser_of(__doc__, quick="20 and 100 pairs, one draw, two settings", seeds="draws", n_seeds=5)
    parser.add_argument("--only", nargs="+", choices=SETTINGS, default=list(SETTINGS), metavar="SETTING")
    parser.add_argument("--ablations", nargs="*", choices=SETTINGS, default=[], metavar="SETTING", help="500 pairs")
    options = parser.parse_args()
    folder = folder_of(options, FILES)
    if folder is None:
        return
    n_pairs = N_PAIRS[:3:2] if options.quick else N_PAIRS
    options.seeds = 1 if options.quick else options.seeds
    columns = ["raw", *(f"{n} pairs" for n in n_pairs), "worst gain", "seconds"]
    for setting in list(SETTINGS)[1:4:2] if options.quick else options.only:
        show("Recall", columns, {setting: row_of(folder, options, setting, n_pairs)}, least=14)
    for setting in options.ablations:
        rows = {name: row_of(folder, options, setting, [500], name) for name in [None, *ABLATIONS]}
        rows = {name or "defaults": row for name, row in rows.items()}
        show(f"{setting}, 500 pairs", ["raw", "recall", "worst gain", "seconds"], rows, least=14)


if __name__ == "__main__":
    main()
