"""Progress bars, callbacks and convergence warnings of the iterative learners."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from sklearn.exceptions import ConvergenceWarning

from metricnets._callbacks import FitTask, resolved
from metricnets._lazy import needed
from metricnets.exceptions import warn

Report = Callable[[float, object], bool | None]


@dataclass
class Progress:
    """A `Report`: solvers call it with the objective and the map once an iteration, and stop if it returns True.

    The map may be a function that returns it; it is not called unless a callback of scikit-learn asks for a fitted
    learner.  ``converged`` is set after the solver has returned.
    """

    advice: str
    bar: object = None
    task: FitTask | None = None
    converged: bool = True

    def __call__(self, objective: float, found: object) -> bool:
        if self.bar is not None:
            self.bar.set_postfix_str(f"objective {objective:.6g}", refresh=False)
            self.bar.update()
        if self.task is not None and not self.stopped and not self.task.end(found):
            self.task.begin("iteration")
        return self.stopped

    @property
    def stopped(self) -> bool:
        """Whether a callback has asked to stop."""
        return self.task is not None and self.task.stopped


def through(report: Report, back: Callable) -> Report:
    """A report for a solver in other coordinates, which ``back`` takes to those of ``report``."""
    return partial(_report_through, report, back)


def _report_through(report, back, objective, found):
    return report(objective, partial(_there, back, found))


def _there(back, found):
    return back(resolved(found))


@contextlib.contextmanager
def progress(learner: object, advice: str = "raise max_iter or tol") -> Iterator[Progress]:
    """Context with a `Progress`: shows a bar if the learner is verbose, and warns at the end if not converged."""
    name, max_iter = type(learner).__name__, getattr(learner, "max_iter", None)
    report = Progress(advice, task=getattr(learner, "_fit_task", None))
    if getattr(learner, "verbose", False):
        auto = needed("tqdm.auto", f"verbose={learner.verbose}")  # comes with skorch
        report.bar = auto.tqdm(total=max_iter, desc=name)
    try:
        if report.task is not None:
            report.task.begin("iteration")
        yield report
        if report.task is not None:
            report.task.close()
    finally:
        if report.bar is not None:
            report.bar.close()
    if report.converged or report.stopped:
        return
    where = "" if max_iter is None else f" in max_iter={max_iter} iterations"
    if max_iter is not None and learner.n_iter_ < max_iter:
        where, report.advice = "", f"after {learner.n_iter_} iterations no step gains anything. Scale the features"
    warn(f"{name} did not converge{where}; {report.advice}.", ConvergenceWarning)
