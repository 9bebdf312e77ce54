"""Convergence: where no step lowers the objective beyond rounding a solver is done, whatever ``tol`` says."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from discovery import ESTIMATORS, PAIR_LEARNERS, TUPLE_LEARNERS, quick, training_data
from scipy.optimize import Bounds, OptimizeResult, rosen, rosen_der
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning

from metricnets._progress import progress
from metricnets.constraints import knn_triplets
from metricnets.linear._base import MahalanobisMetric
from metricnets.linear._solvers import lbfgs
from metricnets.linear._solvers.conjugate_gradient import conjugate_gradient
from metricnets.linear._solvers.lbfgs import NearEnough, minimize, minimize_smooth

LINEAR = {name: cls._get_param_names() for name, cls in ESTIMATORS.items() if issubclass(cls, MahalanobisMetric)}
ITERATIVE = [name for name, known in LINEAR.items() if "max_iter" in known]
ENDLESS = ["NCA", "MLKR"]  # their objectives fall for ever as L grows, where that tells the rows apart
MACHINES = ["DoubletSVM", "DoubletSVM_Supervised", "RAML"]  # support vector machines, whose tol is positive


def made(name, tol=None, **params):
    tols = {} if tol is None else {"tol": tol, "convergence_tol": tol}
    params = {"solver": "svr"} | tols | params
    return quick(name, **{key: value for key, value in params.items() if key in LINEAR[name]})


def hard_data(name):
    """Raw features of wine, whose scales differ, with few pairs."""
    X, y = load_wine(return_X_y=True)
    if name not in TUPLE_LEARNERS:
        return X, y
    triplets = knn_triplets(X, y, 1, 1)
    if name not in PAIR_LEARNERS:
        return (X[triplets if name == "SCML" else triplets[:, [0, 1, 0, 2]]],)
    rows = np.random.default_rng(0).integers(len(X), size=(100, 2))
    return X[rows], np.where(y[rows[:, 0]] == y[rows[:, 1]], 1, -1)


@pytest.mark.parametrize("tol", [0.0, 1e-15])
@pytest.mark.parametrize("name", ITERATIVE)
def test_no_tolerance_is_too_fine(name, tol):
    learner = made(name, 1e-15 if name in MACHINES else tol, max_iter=10**6)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        learner.fit(*training_data(name))
    assert learner.n_iter_ < 10**4
    assert np.isfinite(learner.components_).all()


@pytest.mark.parametrize("name", [name for name in ITERATIVE if name not in ENDLESS])
def test_a_finer_tolerance_changes_little(name):
    fine, finer = (made(name, tol, max_iter=10**6).fit(*training_data(name)) for tol in (1e-9, 1e-15))
    distances = [learner.transform(np.eye(4)) @ learner.transform(np.eye(4)).T for learner in (fine, finer)]
    np.testing.assert_allclose(*distances, rtol=0.01, atol=0.01 * np.abs(distances[0]).max())


@pytest.mark.parametrize("name", ITERATIVE)
def test_too_few_iterations_are_told(name):
    with pytest.warns(ConvergenceWarning, match="max_iter=1[ )]"):
        learner = made(name, max_iter=1).fit(*hard_data(name))
    assert learner.n_iter_ == 1


@pytest.mark.parametrize(
    ("n_iter", "message"),
    [(9, "in max_iter=9 iterations; raise it"), (3, "converge; after 3 iterations no step gains")],
)
def test_more_iterations_are_advised_only_where_they_would_help(n_iter, message):
    learner = SimpleNamespace(verbose=False, max_iter=9, n_iter_=n_iter)
    with pytest.warns(ConvergenceWarning, match=message), progress(learner, "raise it") as report:
        report.converged = False


def rosenbrock(x):
    return rosen(x), rosen_der(x)


def silent(value, x):
    return None


def test_smooth_functions_are_minimised_to_rounding():
    x, n_iter, converged = minimize_smooth(rosenbrock, np.zeros(5), ftol=0, gtol=0, max_iter=10**6, report=silent)
    assert converged
    assert n_iter < 1000
    np.testing.assert_allclose(x, 1, rtol=1e-6)


def test_a_line_search_that_gives_up_early_is_no_convergence(monkeypatch):
    optimize = lbfgs.optimize.minimize
    calls = []

    def giving_up(fun, x, *, options, **how):
        """SciPy's, but that it gives up after three iterations, twice."""
        calls.append(options["maxiter"])
        if len(calls) > 2:
            return optimize(fun, x, options=options, **how)
        found = optimize(fun, x, options=options | {"maxiter": 3}, **how)
        return OptimizeResult(found | {"status": 2})

    monkeypatch.setattr(lbfgs.optimize, "minimize", giving_up)
    x, n_iter, converged = minimize_smooth(rosenbrock, np.zeros(5), ftol=0, gtol=1e-6, max_iter=500, report=silent)
    assert calls == [500, 496, 492]
    assert converged
    np.testing.assert_allclose(x, 1, rtol=1e-4)
    calls.clear()
    x, n_iter, converged = minimize_smooth(rosenbrock, np.zeros(5), ftol=0, gtol=1e-6, max_iter=8, report=silent)
    assert (n_iter, converged) == (8, False)


def test_bounds_are_kept_where_the_line_search_gives_up(monkeypatch):
    def giving_up(fun, x, **how):
        value, slope = fun(x)
        return OptimizeResult(x=x, fun=value, jac=slope, status=2)

    monkeypatch.setattr(lbfgs.optimize, "minimize", giving_up)
    x, _, converged = minimize_smooth(
        lambda x: (((x + 1) ** 2).sum(), 2 * (x + 1)),
        np.ones(3),
        ftol=0,
        gtol=0,
        max_iter=1000,
        report=silent,
        bounds=Bounds(0, np.inf),
    )
    assert converged
    np.testing.assert_array_equal(x, 0)


@pytest.mark.parametrize("length", [1e-3, 1, 7.0])
def test_the_first_step_has_the_length_it_is_given(length):
    points = []

    def falling(x):
        points.append(x.copy())
        return x.sum(), np.ones(x.shape)

    minimize_smooth(falling, np.ones((2, 3)), ftol=0, gtol=0, max_iter=1, report=silent, first_step=length)
    np.testing.assert_allclose(points[0], np.ones((2, 3)))
    assert np.linalg.norm(points[1] - points[0]) == pytest.approx(length)


@pytest.mark.parametrize("length", [1e-3, 0.0, 30.0])
def test_the_minimum_does_not_depend_on_the_first_step(length):
    settings = {"ftol": 0, "gtol": 1e-8, "max_iter": 1000, "report": silent, "first_step": length}
    x, _, converged = minimize_smooth(rosenbrock, np.zeros(5), **settings)
    assert converged
    np.testing.assert_allclose(x, 1, rtol=1e-6)
    x, *_ = minimize_smooth(rosenbrock, np.zeros(5), bounds=Bounds(0, 0.5), **settings)
    expected, *_ = minimize_smooth(rosenbrock, np.zeros(5), bounds=Bounds(0, 0.5), **settings | {"first_step": 1.0})
    assert x.max() <= 0.5
    np.testing.assert_allclose(x, expected, atol=1e-5)


def test_what_is_not_finite_has_not_converged():
    def broken(x):
        return np.nan, np.full(2, np.nan)

    assert not minimize_smooth(broken, np.ones(2), ftol=0, gtol=0, max_iter=9, report=silent)[2]


def test_an_objective_may_know_that_it_is_near_enough():
    def square(x):
        if (x**2).sum() < 1e-3:
            raise NearEnough
        return (x**2).sum(), 2 * x

    x, _, converged = minimize_smooth(square, np.full(3, 9.0), ftol=0, gtol=0, max_iter=99, report=silent)
    assert converged
    assert (x**2).sum() < 1e-3


def test_kinks_are_minimised_to_rounding():
    def bent(x):
        return np.abs(x - 1).sum() + 1, np.sign(x - 1.0)

    _, value, n_iter, converged = minimize(bent, np.array([3.0, 2, -1]), max_iter=10**5, tol=0.0, report=silent)
    assert converged
    assert n_iter < 1000
    assert value == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("preconditioned", [False, True])
def test_conjugate_gradients_solve_definite_systems(preconditioned):
    rng = np.random.default_rng(0)
    A = rng.normal(size=(6, 6))
    A = A @ A.T + np.diag(10.0 ** np.arange(6))
    B = rng.normal(size=(6, 2))
    M = (lambda R: R / np.diag(A)[:, None]) if preconditioned else None
    X = conjugate_gradient(lambda D: A @ D, B, M=M, tol=1e-12, max_iter=100)
    np.testing.assert_allclose(A @ X, B, atol=1e-8)
    np.testing.assert_array_equal(conjugate_gradient(lambda D: A @ D, 0 * B, tol=0.1, max_iter=5), 0)
