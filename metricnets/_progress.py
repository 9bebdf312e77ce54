"""Progress bars and convergence warnings of the iterative learners."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from sklearn.exceptions import ConvergenceWarning

from metricnets._lazy import needed
from metricnets.exceptions import warn


@dataclass
class Progress:
    """A function that solvers call with the objective once an iteration; ``converged`` is set after they return."""

    advice: str
    bar: object = None
    converged: bool = True

    def __call__(self, objective: float) -> None:
        if self.bar is not None:
            self.bar.set_postfix_str(f"objective {objective:.6g}", refresh=False)
            self.bar.update()


@contextlib.contextmanager
def progress(learner: object, advice: str = "raise max_iter or tol") -> Iterator[Progress]:
    """Context with a `Progress`: shows a bar if the learner is verbose, and warns at the end if not converged."""
    name, max_iter = type(learner).__name__, getattr(learner, "max_iter", None)
    report = Progress(advice)
    if learner.verbose:
        auto = needed("tqdm.auto", f"verbose={learner.verbose}")  # comes with skorch
        report.bar = auto.tqdm(total=max_iter, desc=name)
    try:
        yield report
    finally:
        if report.bar is not None:
            report.bar.close()
    if report.converged:
        return
    where = "" if max_iter is None else f" in max_iter={max_iter} iterations"
    if max_iter is not None and learner.n_iter_ < max_iter:
        where, report.advice = "", f"after {learner.n_iter_} iterations no step gains anything. Scale the features"
    warn(f"{name} did not converge{where}; {report.advice}.", ConvergenceWarning)
