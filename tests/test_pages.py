"""The code of the pages of the documentation runs: page by page, each in a namespace of its own.

Every ``.. code-block:: python`` runs.  ``.. setup: python``, a comment that a page does not show, runs too: it makes
what the code that is shown takes for granted.  A block whose caption begins with "Needs", ``:caption: Needs faiss``, is
for a library that the tests do not have: it is compiled only.
"""

import re
import textwrap
from pathlib import Path

import pytest
import sklearn
from discovery import ESTIMATORS

ROOT = Path(__file__).parents[1]
MADE = {"_build", "api", "auto_examples"}  # folders of pages that Sphinx makes
PAGES = sorted(path for path in ROOT.glob("doc/**/*.rst") if path.relative_to(ROOT).parts[1] not in MADE)
BLOCKS = {
    ".rst": r"^( *)\.\. (?:code-block:: python|setup: python)\n((?:\1 +:.*\n)*)((?:\1 +\S.*\n|[ ]*\n)+)",
    ".md": r"^()```python()\n(.*?)^```",
}
LAWS = {  # what is true after the code of a page
    "README.md": "model.score(X_test, y_test) > 0.97",
    "doc/cookbook/adding_a_loss.rst": "search.best_score_ > 0.9",
    "doc/cookbook/deduplication.rst": "f1 > 0.8 and len(new) == 120 and learned > plain + 0.1",
    "doc/cookbook/few_labels.rst": "accuracy > 0.85 and score > adjusted_rand_score(y, KMeans(3).fit_predict(X))",
    "doc/cookbook/images.rst": "accuracy > 0.9",
    "doc/cookbook/imbalanced.rst": "score > 0.8",
    "doc/cookbook/judgements.rst": "share > plain + 0.05 and z.shape == (178, 64)",
    "doc/cookbook/retrieval.rst": "score > raw + 0.1",
    "doc/cookbook/serving.rst": "np.allclose(distances, lmnn.pair_distance([[scaled[0], scaled[i]] for i in rows]))",
    "doc/cookbook/tables.rst": "accuracy > 0.65 and weight.idxmax() == 'pipeline__age' and len(results) == 6",
    "doc/cookbook/text.rst": "accuracy > 0.75 and z.shape == (30, 20)",
    "doc/cookbook/verification.rst": "auc > raw + 0.03 and accuracy > 0.8 and true_accepts > 5 * false_accepts",
    "doc/faq.rst": "rejected[y_test < 2].mean() < 0.1 and rejected[y_test == 2].mean() > 0.2",
    "doc/quickstart.rst": "model.score(X_test, y_test) > 0.97",
    "doc/user_guide/clusters.rst": "n_fits() == 3 and again.best_score_ == search.best_score_ > 0.8",
    "doc/user_guide/codes.rst": "recall > 0.8",
    "doc/user_guide/coming_from_setfit.rst": "(predicted == np.repeat(np.arange(4), 50)).mean() > 0.5",
    "doc/user_guide/datasets.rst": "(np.diff([roc_auc_score(y[200:], score) for score in scores]) > [0.2, 0]).all()",
    "doc/user_guide/deduplication.rst": (
        "precision > 0.8 and recall > 0.4 and share_of_candidates > 0.8 "
        "and learned > max(plain, of_letters, of_random) + 0.1"
    ),
    "doc/user_guide/displays.rst": "{CMCDisplay, VerificationDisplay} <= {*map(type, vars().values())}",
    "doc/user_guide/faces.rst": "min(auc, ratio_auc, chi_auc, siamese_auc) > raw + 0.02",
    "doc/user_guide/few_and_wrong_labels.rst": (
        "accuracy > 0.75 and found > 0.75 and corrected > 0.85 and min(precision, recall) > 0.7 and len(pairs) == 500"
    ),
    "doc/user_guide/long_fits.rst": "first == again",
    "doc/user_guide/large.rst": "np.array_equal(Z, EmbeddingNet(max_epochs=2, random_state=0).fit(X, y).transform(X))",
    "doc/user_guide/losses.rst": "short.shape == (178, 8)",
    "doc/user_guide/query_adapter.rst": "after >= before",
    "doc/user_guide/relations.rst": "len(net.transform(X)) == 100",
    "doc/user_guide/saving.rst": "any('module_' in name for name in names) and (metric.embed(X) == Z).all()",
    "doc/user_guide/serving.rst": "classes == model.predict(X[:3]).tolist()",
    "doc/user_guide/streams.rst": (
        "np.allclose(M, lda.fit(scaler.transform(X), y).get_mahalanobis_matrix()) "
        "and net.transform(X).shape == (400, 64)"
    ),
    "doc/user_guide/training.rst": (
        "len(scores) == search.best_estimator_[-1].n_iter_ and 1 <= len(hurried.history_) < 1000 "
        "and best in [record['valid_loss'] for record in net.history_]"
    ),
    "doc/user_guide/which_estimator.rst": "min(accuracy['LDA'], accuracy['NCA'], accuracy['EmbeddingNet']) > 0.9",
}

NEWER = {"doc/user_guide/training.rst": ["sklearn.callback", "rich"]}  # modules that the oldest versions lack


def blocks(path):
    """The line, the options and the code of each block of a page."""
    text = path.read_text(encoding="utf-8")
    flags = re.M | re.S if path.suffix == ".md" else re.M
    for found in re.finditer(BLOCKS[path.suffix], text + "\n", flags):
        yield text[: found.start(3)].count("\n"), found[2], textwrap.dedent(found[3])


def compiled(path):
    """The blocks of a page that run."""
    for line, options, code in blocks(path):
        program = compile("\n" * line + code, str(path), "exec")
        if not re.search(r":caption: Needs ", options):
            yield program


WITH_CODE = {path.relative_to(ROOT).as_posix(): path for path in [ROOT / "README.md", *PAGES] if any(blocks(path))}


@pytest.mark.filterwarnings("ignore:.*deprecated - use")  # matplotlib 3.7 with pyparsing 3.3
@pytest.mark.parametrize("name", WITH_CODE)
def test_the_code_of_a_page_runs(name, monkeypatch, tmp_path):
    for module in NEWER.get(name, []):
        pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    names = {"__name__": "page"}
    with sklearn.config_context():
        for program in compiled(WITH_CODE[name]):
            exec(program, names)
    assert eval(LAWS.get(name, "True"), names)


def test_every_law_is_that_of_a_page():
    assert LAWS.keys() <= WITH_CODE.keys()


def test_the_map_of_estimators_names_them_all():
    page = (ROOT / "doc/user_guide/which_estimator.rst").read_text(encoding="utf-8")
    named = {name.removesuffix("_Supervised") for name in ESTIMATORS}
    assert not {name for name in named if not re.search(rf"\b{name}(_Supervised)?\b", page)}
