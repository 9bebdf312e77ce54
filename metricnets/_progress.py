"""What every iterative learner says: how far it is, for those who asked, and that it did not converge."""

import contextlib
from dataclasses import dataclass

from sklearn.exceptions import ConvergenceWarning

from metricnets._lazy import needed
from metricnets.exceptions import warn


@dataclass
class Progress:
    """Call it with the objective once an iteration; ``converged`` is set when the solver has returned."""

    advice: str
    bar: object = None
    converged: bool = True

    def __call__(self, objective):
        if self.bar is not None:
            self.bar.set_postfix_str(f"objective {objective:.6g}", refresh=False)
            self.bar.update()


@contextlib.contextmanager
def progress(learner, advice="raise max_iter or tol"):
    """Context that gives a `Progress`: it shows a bar if the learner is verbose, and at its end ConvergenceWarning."""
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
