"""How far the solvers are, for those who asked to see it."""

import contextlib


@contextlib.contextmanager
def progress(name, verbose, max_iter):
    """Context that gives ``report(objective)``, to be called once an iteration; it shows a bar if ``verbose``."""
    if not verbose:
        yield lambda objective: None
        return
    from tqdm.auto import tqdm  # comes with skorch; not needed by those who ask for nothing

    with tqdm(total=max_iter, desc=name) as bar:

        def report(objective):
            bar.set_postfix_str(f"objective {objective:.6g}", refresh=False)
            bar.update()

        yield report
