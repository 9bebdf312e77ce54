"""DeepHashing and SupervisedDeepHashing: each term is the paper's and matters, codes are those of the network."""

from functools import partial

import numpy as np
import pytest
import torch
from discovery import tiny_points
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import orthogonal_procrustes
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

from metricnets import DeepHashing, SupervisedDeepHashing, _codes
from metricnets._codes import quantization_rotation, signs
from metricnets.deep._training.initialization import itq_layer
from metricnets.deep.hashing import _deep_hashing
from metricnets.deep.hashing._deep_hashing import grouped_neighbors
from metricnets.deep.hashing._objective import likelihood, objective, orthogonality, quantization, scatter, variance
from metricnets.metrics import hamming_distances, hamming_scores, pack_codes, unpack_codes

X, Y = tiny_points()
QUICK = {"n_components": 8, "hidden": (8,), "max_epochs": 3, "device": "cpu", "random_state": 0}
H = np.tanh(np.random.default_rng(0).normal(size=(7, 5)))
R = np.where(np.eye(7) == 1, np.nan, (np.arange(7)[:, None] % 3 == np.arange(7) % 3) * 1.0)
R[0, 1] = np.nan


# ---- the objective, term by term


def test_quantization_and_variance_are_loops_over_samples_and_bits():
    n, k = H.shape
    q = sum((np.sign(H[i, j]) - H[i, j]) ** 2 for i in range(n) for j in range(k)) / (n * k)
    centred = H - H.mean(axis=0)
    v = np.trace(centred @ centred.T) / n / k
    assert float(quantization(torch.tensor(H))) == pytest.approx(q / 2)
    assert float(variance(torch.tensor(H))) == pytest.approx(v / 2)


def test_orthogonality_is_that_of_rows_or_of_columns():
    wide, tall = (np.random.default_rng(0).normal(size=size) for size in ((2, 3), (4, 3)))
    expected = sum((W @ W.T - np.eye(2)) ** 2 for W in [wide]).sum() + ((tall.T @ tall - np.eye(3)) ** 2).sum()
    assert float(orthogonality([torch.tensor(wide), torch.tensor(tall)])) == pytest.approx(expected / 2)
    assert float(orthogonality([torch.eye(4, 3)])) == 0


@pytest.mark.parametrize("margin", [None, 0.5])
def test_scatter_is_a_loop_over_pairs(margin):
    within, between = [], []
    for i, j in np.argwhere(~np.isnan(R)):
        d2 = ((H[i] - H[j]) ** 2).sum() / H.shape[1]
        if R[i, j]:
            within.append(d2)
        else:
            between.append(d2 if margin is None else min(d2, margin))
    found = scatter(torch.tensor(H), torch.tensor(R), margin)
    assert float(found) == pytest.approx(np.mean(within) - np.mean(between))


def test_likelihood_is_a_loop_over_pairs():
    terms = {1.0: [], 0.0: []}
    for i, j in np.argwhere(~np.isnan(R)):
        probability = 1 / (1 + np.exp(-H[i] @ H[j] / 2))
        terms[R[i, j]].append(-np.log(probability if R[i, j] else 1 - probability))
    found = likelihood(torch.tensor(H), torch.tensor(R))
    assert float(found) == pytest.approx(sum(map(np.mean, terms.values())))


def test_a_graded_relation_is_a_mean_of_similar_and_dissimilar_in_the_likelihood():
    """With r = ½ everywhere the optimum is p = ½: orthogonal outputs have a gradient of 0."""
    h = torch.eye(4, 6, dtype=torch.float64, requires_grad=True)
    likelihood(h, torch.full((4, 4), 0.5).fill_diagonal_(torch.nan)).backward()
    assert_allclose(h.grad, 0, atol=1e-12)


@pytest.mark.parametrize("term", [likelihood, partial(scatter, margin=1.5)])
def test_a_term_without_pairs_is_0_and_has_a_gradient(term):
    h = torch.tensor(H, requires_grad=True)
    loss = term(h, torch.full((7, 7), torch.nan))
    loss.backward()
    assert float(loss.detach()) == 0
    assert not h.grad.any()


def test_gradients_are_those_of_differences():
    h, W = torch.tensor(H, requires_grad=True), torch.tensor(H[:2], requires_grad=True)
    weights = {"variance_weight": 0.7, "scatter_weight": 2.0, "margin": 0.6}
    assert torch.autograd.gradcheck(lambda h: objective(h, torch.tensor(R), **weights), h)
    assert torch.autograd.gradcheck(lambda h: likelihood(h, torch.tensor(R)), h)
    assert torch.autograd.gradcheck(lambda W: orthogonality([W]), W)


def test_the_variance_of_orthonormal_directions_is_largest_for_the_principal_components():
    """The terms of λ₁ and λ₂ alone have a closed form, as has the largest variance of orthonormal directions."""
    A = torch.tensor(np.random.default_rng(1).normal(size=(50, 4)) * [3, 2, 1, 0.5])
    A = A - A.mean(dim=0)
    values, vectors = torch.linalg.eigh(A.T @ A / len(A))
    W = vectors[:, 2:].T.clone().requires_grad_(True)
    largest = variance(A @ W.T)
    (gradient,) = torch.autograd.grad(largest, W)
    largest = float(largest.detach())
    assert largest == pytest.approx(float(values[2:].mean() / 2))
    assert_allclose(gradient - gradient @ W.detach().T @ W.detach(), 0, atol=1e-12)  # no way to rise while orthonormal
    for seed in range(20):
        other = np.linalg.qr(np.random.default_rng(seed).normal(size=(4, 2)))[0].T
        assert float(orthogonality([torch.tensor(other)])) < 1e-20
        assert float(variance(A @ torch.tensor(other).T)) < largest


# ---- iterative quantisation, the start


def test_a_step_of_itq_is_the_solution_of_a_procrustes_problem():
    V = np.random.default_rng(0).normal(size=(50, 4)) * [4, 3, 2, 1]
    before = quantization_rotation(V, np.random.default_rng(0), n_iter=3)
    after = quantization_rotation(V, np.random.default_rng(0), n_iter=4)
    assert_allclose(after, orthogonal_procrustes(V, signs(V @ before))[0], atol=1e-9)

    def error(R):
        return ((signs(V @ R) - V @ R) ** 2).sum()

    assert error(quantization_rotation(V, np.random.default_rng(0))) <= error(after) <= error(before)


@pytest.mark.parametrize("n_bits", [3, 4, 9])
def test_the_start_is_itq(n_bits):
    """Without a step to take, codes are those of a rotation of the principal components."""
    hashing = DeepHashing(**QUICK | {"n_components": n_bits, "lr": 1e-12, "max_epochs": 1}).fit(X)
    standardize, components, _ = hashing.module_
    Z = components(standardize(torch.tensor(X, dtype=torch.float32)))
    W = itq_layer(Z, n_bits, _seed_of(hashing)).weight.detach().numpy()
    assert_array_equal(hashing.transform(X), signs(Z.numpy() @ W.T))
    gram = W @ W.T if n_bits <= 4 else W.T @ W
    assert_allclose(gram / gram[0, 0], np.eye(len(gram)), atol=1e-5)
    assert_allclose(((Z.numpy() @ W.T) ** 2).mean(), 1, rtol=1e-5)


def _seed_of(hashing):
    return int(np.random.default_rng(hashing.random_state).integers(2**31 - 1))


# ---- the estimators


@pytest.fixture(scope="module")
def fitted():
    return DeepHashing(**QUICK).fit(X)


def test_codes_are_the_signs_of_continuous_codes(fitted):
    continuous = fitted.continuous_codes(X)
    assert np.abs(continuous).max() <= 1
    assert_array_equal(fitted.transform(X), np.where(continuous > 0, 1.0, -1.0))
    assert fitted.continuous_codes(X.astype(np.float32)).dtype == np.float32


def test_distances_are_twice_the_root_of_the_hamming_distance(fitted):
    codes = fitted.transform(X)
    h = hamming_distances(codes[:10], codes[10:20])
    pairs = np.stack(np.broadcast_arrays(X[:10, None], X[None, 10:20]), axis=2).reshape(-1, 2, 4)
    assert_allclose(fitted.pair_distance(pairs) ** 2 / 4, h.ravel(), atol=1e-9)
    assert fitted.get_metric()(X[0], X[10], squared=True) / 4 == pytest.approx(h[0, 0])


@pytest.mark.parametrize("n_bits", [1, 3, 8, 11])
def test_packed_codes_are_the_same_codes(n_bits):
    hashing = DeepHashing(**QUICK | {"n_components": n_bits}).fit(X)
    codes = hashing.transform(X)
    expected = hashing.pair_distance(np.stack([X[:5], X[5:10]], axis=1))
    hashing.set_params(packed=True)
    assert_array_equal(hashing.transform(X), pack_codes(codes))
    assert_array_equal(unpack_codes(hashing.transform(X), n_bits), codes)
    assert len(hashing.get_feature_names_out()) == hashing.transform(X).shape[1] == -(-n_bits // 8)
    assert_array_equal(hashing.pair_distance(np.stack([X[:5], X[5:10]], axis=1)), expected)


SWITCHES = {
    "variance": {"variance": 20.0},
    "orthogonality": {"orthogonality": 5.0},
    "scatter": {"scatter": 0.0},
    "margin": {"margin": 0.1},
    "weight_decay": {"weight_decay": 5.0},
    "init": {"init": "pca"},
    "random start": {"init": "glorot"},
    "dropout": {"dropout": 0.5},
    "input_dropout": {"input_dropout": 0.5},
    "activation": {"activation": "tanh"},
    "hidden": {"hidden": ()},
}


@pytest.mark.parametrize("params", SWITCHES.values(), ids=SWITCHES)
@pytest.mark.parametrize("cls", [DeepHashing, SupervisedDeepHashing])
def test_each_parameter_matters(cls, params):
    plain, other = (cls(**QUICK | given).fit(X, Y).continuous_codes(X) for given in ({}, params))
    assert np.abs(plain - other).max() > 1e-4


def test_the_likelihood_is_a_parameter():
    plain, other = (SupervisedDeepHashing(**QUICK, likelihood=w).fit(X, Y).continuous_codes(X) for w in (1.0, 0.0))
    assert np.abs(plain - other).max() > 1e-4


@pytest.mark.parametrize("cls", [DeepHashing, SupervisedDeepHashing])
def test_defaults_are_those_of_the_nearest_class(cls):
    """A dataclass with two bases takes their fields from the first, inherited ones too."""
    for name, value in cls().get_params().items():
        assert value == getattr(cls, name), name


def test_neighbours_are_a_parameter():
    few, many = (DeepHashing(**QUICK, n_neighbors=k).fit(X).continuous_codes(X) for k in (1, 20))
    assert np.abs(few - many).max() > 1e-4


def test_weights_are_orthogonal_with_their_penalty():
    linear = {"hidden": (), "init": "glorot", "scatter": 0.0, "max_epochs": 40, "lr": 0.05}
    plain, penalized = (DeepHashing(**QUICK | linear | {"orthogonality": w}).fit(X) for w in (0.0, 10.0))
    errors = [float(orthogonality([h.module_[-1][0][0][0].weight.detach()])) for h in (plain, penalized)]
    assert errors[1] < 0.1 * errors[0]


def test_neighbours_are_near_and_those_of_groups_nearly():
    Z = load_digits().data[:300]
    expected = NearestNeighbors(n_neighbors=3).fit(Z).kneighbors(return_distance=False)
    rng = np.random.default_rng(0)
    d = np.linalg.norm(Z[:, None] - Z[grouped_neighbors(Z, 3, rng)], axis=2)  # of equally near ones any will do
    assert_allclose(d, np.linalg.norm(Z[:, None] - Z[expected], axis=2))
    assert grouped_neighbors(Z[:2], 5, rng).tolist() == [[1], [0]]


def test_large_data_are_searched_in_groups(monkeypatch):
    monkeypatch.setattr(_deep_hashing, "N_NEAR", 100)
    Z = load_digits().data[:300]
    near = grouped_neighbors(Z, 3, np.random.default_rng(0))
    groups = np.array_split(np.random.default_rng(0).permutation(300), 3)
    for group in groups:
        assert set(near[group].ravel()) <= set(group)
        assert not (near[group] == group[:, None]).any()


def test_codes_of_digits_retrieve_better_than_those_of_itq_and_with_labels_better_still():
    Z, labels = load_digits(return_X_y=True)
    train, test = slice(0, 1200), slice(1200, None)
    params = {"n_components": 16, "random_state": 0, "device": "cpu", "max_epochs": 10, "hidden": (64,)}

    def score(learner):
        codes = learner.fit(Z[train], labels[train]).transform
        return hamming_scores(codes(Z[test]), labels[test], codes(Z[train]), labels[train])["mean_average_precision"]

    start, plain = score(DeepHashing(**params | {"lr": 1e-12})), score(DeepHashing(**params))
    assert plain > start + 0.05
    assert score(SupervisedDeepHashing(**params)) > plain + 0.03
    for term in ({"likelihood": 0.0}, {"scatter": 0.0}):
        assert score(SupervisedDeepHashing(**params | term)) > plain + 0.03
    neither = {"likelihood": 0.0, "scatter": 0.0}
    assert score(SupervisedDeepHashing(**params | neither)) < plain  # then it learns nothing from labels


def test_label_sets_are_targets_too():
    sets = np.eye(3)[Y]
    codes = SupervisedDeepHashing(**QUICK).fit(X, sets).transform(X)
    assert set(np.unique(codes)) == {-1.0, 1.0}


# ---- hostile data


def test_constant_features_and_equal_rows_are_no_fault():
    assert np.isfinite(DeepHashing(**QUICK).fit(np.ones_like(X)).transform(X)).all()
    with_constant = np.hstack([X, np.ones((45, 2))])
    assert len(np.unique(DeepHashing(**QUICK).fit(with_constant).transform(with_constant), axis=0)) > 1
    assert DeepHashing(**QUICK).fit(X[:2]).transform(X).shape == (45, 8)


def test_classes_of_two_rows():
    y = np.arange(44) // 2
    assert SupervisedDeepHashing(**QUICK).fit(X[:44], y).transform(X).shape == (45, 8)


def test_codes_that_collapse_are_a_warning():
    with pytest.warns(UserWarning, match="all codes are equal"):
        DeepHashing(module=_Constant, scatter=0.0, max_epochs=1, device="cpu", random_state=0).fit(X)


class _Constant(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.ones(3))

    def forward(self, x):
        return self.bias + 0 * x[:, :3]


def test_a_single_sample_has_no_neighbour():
    with pytest.raises(ValueError, match="validation_fraction=0.01 leaves one"):
        DeepHashing(**QUICK, early_stopping=True, validation_fraction=0.01).fit(X)
    with pytest.raises(ValueError, match="one sample only"):
        DeepHashing(**QUICK).fit(X, sample_weight=np.arange(45) == 3)


def test_a_module_replaces_the_perceptron():
    with pytest.raises(ValueError, match="hidden=.* is for the built-in perceptron"):
        DeepHashing(module=_Constant, hidden=(8,)).fit(X)


def test_a_code_is_1_where_the_output_is_positive():
    assert _codes.signs(np.array([0.0, -0.0, 1e-30, -1.0])).tolist() == [-1, -1, 1, -1]
