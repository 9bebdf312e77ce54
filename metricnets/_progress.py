"""How far the solvers are, for those who asked to see it."""

import contextlib

from metricnets._lazy import needed


@contextlib.contextmanager
def progress(name, verbose, max_iter):
    """Context that gives ``report(objective)``, to be called once an iteration; it shows a bar if ``verbose``."""
    if not verbose:
        yield lambda objective: None
        return
    auto = needed("tqdm.auto", f"verbose={verbose}")  # comes with skorch; not needed by those who ask for nothing
    with auto.tqdm(total=max_iter, desc=name) as bar:

        def report(objective):
            bar.set_postfix_str(f"objective {objective:.6g}", refresh=False)
            bar.update()

        yield report
