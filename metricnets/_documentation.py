"""Docstrings of classes with all parameters and attributes, including inherited ones, and links to their pages."""

import inspect
import re
from collections.abc import Callable, Iterable
from functools import cache
from importlib import metadata

HEADING = re.compile(r"^(?=[A-Z][A-Za-z ]+\n-{3,}$)", re.MULTILINE)
JOINED = "Parameters", "Attributes"


@cache
def sections(doc: str | None) -> dict[str, str]:
    r"""Split a numpydoc docstring into its sections by title; the text before the first heading has the title "".

    >>> sections("A summary.\n\nSee Also\n--------\nThat.\n")
    {'': 'A summary.', 'See Also': 'That.'}
    """
    head, *others = HEADING.split(inspect.cleandoc(doc or ""))
    parts = [part.split("\n", 2) for part in others]
    return {"": head.strip()} | {title: body.rstrip() for title, _, body in parts}


def entries(doc: str | None, title: str) -> dict[str, str]:
    r"""Split a section into its entries, by name.

    >>> entries("Parameters\n----------\nk : int\n    A number.\nname : str\n", "Parameters")
    {'k': 'k : int\n    A number.', 'name': 'name : str'}
    """
    body = sections(doc).get(title, "")
    return {entry.partition(" : ")[0]: entry for entry in re.split(r"\n+(?=\S)", body) if entry}


def document(cls: type, ancestors: list[type], parameters: Iterable[str]) -> str:
    """Return the docstring of a class, with the entries of its ancestors in Parameters and Attributes.

    Parameters
    ----------
    cls : type
    ancestors : list of type
        The class and its ancestors, in the order in which the attributes are shown.
    parameters : iterable of str
        Names in the order in which they are shown.  An entry comes from the nearest class that has it.
    """
    described, attributes = {}, {}
    for ancestor in cls.__mro__:
        described = entries(ancestor.__doc__, "Parameters") | described
    for ancestor in ancestors:
        attributes |= {k: v for k, v in entries(ancestor.__doc__, "Attributes").items() if k not in attributes}
    names = dict.fromkeys([*parameters, *entries(cls.__doc__, "Parameters")])
    shown = [described[name] for name in names if name in described], attributes.values()
    own = sections(cls.__doc__)
    joined = {title: "\n".join(found) for title, found in zip(JOINED, shown) if found}
    parts = {title: body for title, body in own.items() if title not in ("", *JOINED)}
    return "\n\n".join([own[""], *(f"{t}\n{'-' * len(t)}\n{body}" for t, body in (joined | parts).items())]) + "\n"


def filled(**entries: str) -> Callable[[Callable], Callable]:
    r"""Make a decorator that puts entries where a docstring has their names in braces, for those that functions share.

    >>> @filled(seed="seed : int\n    Of the generator.")
    ... def draw(seed):
    ...     '''Draw.
    ...
    ...     Parameters
    ...     ----------
    ...     {seed}
    ...     '''
    >>> entries(draw.__doc__, "Parameters")
    {'seed': 'seed : int\n    Of the generator.'}
    """

    def decorate(function):
        function.__doc__ = inspect.cleandoc(function.__doc__ or "")
        for name, entry in entries.items():
            function.__doc__ = function.__doc__.replace(f"{{{name}}}", entry)
        return function

    return decorate


@cache
def documentation_url() -> str:
    """URL of the published documentation from the metadata of the package, or ""."""
    try:
        urls = metadata.metadata("metricnets").get_all("Project-URL", [])
    except metadata.PackageNotFoundError:
        return ""
    return dict(url.split(", ", 1) for url in urls).get("Documentation", "").rstrip("/")
