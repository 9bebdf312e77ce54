"""Parameters as typed fields: one line gives the constructor, the default and the range check.

The only file that imports scikit-learn's private names.
"""

import contextlib
import functools
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from itertools import chain
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeVar, Union, dataclass_transform, get_args, get_origin

import numpy as np
from scipy.sparse import spmatrix
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, InvalidParameterError, StrOptions

from metricnets._callbacks import fit_as_task, is_task
from metricnets._documentation import document, documentation_url
from metricnets._pickles import Versioned
from metricnets._runtime import one_blas_thread
from metricnets._tables import advice_on
from metricnets.exceptions import FitInterrupted, did_you_mean, nearest_first

Count = Annotated[int, Interval(Integral, 1, None, closed="left")]
Folds = Annotated[int, Interval(Integral, 2, None, closed="left")]
Whole = Annotated[int, Interval(Integral, 0, None, closed="left")]
Positive = Annotated[float, Interval(Real, 0, None, closed="neither")]
NonNegative = Annotated[float, Interval(Real, 0, None, closed="left")]
Contamination = Annotated[float, Interval(Real, 0, 0.5, closed="right")]
Share = Annotated[float, Interval(Real, 0, 1, closed="neither")]
ZeroToOne = Annotated[float, Interval(Real, 0, 1, closed="both")]
RateBelowOne = Annotated[float, Interval(Real, 0, 1, closed="left")]
UpToOne = Annotated[float, Interval(Real, 0, 1, closed="right")]
Several = Annotated[int, Interval(Integral, 2, None, closed="left")]
Flag = Annotated[bool, "boolean"]
Verbosity = Annotated[int, "verbose"]
Seed = Annotated[int | np.random.RandomState | None, "random_state"]
Sizes = Annotated[tuple[int, ...] | list[int], tuple, list]
Function = Annotated[Callable, callable]
Metric = Annotated[object, HasMethods("pair_distance"), HasMethods("transform")]
LearnerOrDistance = Annotated[object, HasMethods("transform"), callable, None]
if TYPE_CHECKING:
    from numpy.typing import ArrayLike as Array  # fills a page in `help`
    from scipy.sparse import sparray

    Sparse = spmatrix | sparray
    Points = Array | Sparse
else:
    Array = Points = Annotated[np.ndarray, "array-like"]
    Sparse = Annotated[spmatrix, "sparse matrix"]
Prior = Literal["identity", "covariance", "random"] | Array
Jobs = Annotated[int, Interval(Integral, None, -1, closed="right"), Interval(Integral, 1, 4096, closed="both")] | None
MaybeCount = Count | None
MaybeSeveral = Several | None
MaybeLabel = Annotated[int, Integral] | Annotated[str, str] | None
MaybeShare = ZeroToOne | Literal["auto"] | None
MaybePositive = Positive | None
MaybeTolerance = NonNegative | None
MaybeRate = ZeroToOne | None
MaybeList = Annotated[list | tuple, list, tuple] | None
MaybeDict = Annotated[dict, dict] | None
MaybeCheckpoint = Annotated[str | os.PathLike | dict, str, os.PathLike, dict] | None
MaybeArray = Array | None
MaybeSource = Array | Sparse | Function | None
MaybeObject = Annotated[object, object, None]
MaybeMetric = Metric | None
MaybeTransformer = Annotated[object, HasMethods(["fit", "transform"])] | None
MaybeFunction = Function | None
Fit = TypeVar("Fit", bound=Callable)
NOTHING = contextlib.nullcontext()


def plain_and_constraints(annotation: object) -> tuple[object, list]:
    """Split the type of a parameter into the plain type and scikit-learn's constraints; raise TypeError otherwise.

    >>> plain_and_constraints(Annotated[int, Integral])
    (<class 'int'>, [<class 'numbers.Integral'>])
    >>> plain_and_constraints(Annotated[int, Integral, "verbose"] | None)[1]
    [<class 'numbers.Integral'>, 'verbose', None]
    """
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation is NoneType:
        return annotation, [None]
    if origin is Annotated:
        return args[0], list(args[1:])
    if origin is Literal:
        return annotation, [StrOptions(set(args))]
    if origin in (Union, UnionType):
        plain, constraints = zip(*map(plain_and_constraints, args))
        return Union[plain], [*chain(*constraints)]  # noqa: UP007
    raise TypeError(f"{annotation} does not say which values are valid; see the types of metricnets._params.")


def random_state_of(seed: int | np.random.RandomState | None) -> np.random.RandomState:
    """Make the generator of a ``random_state``; None gives a new one instead of NumPy's global one."""
    return np.random.RandomState() if seed is None else check_random_state(seed)


def check_instance(value: object, name: str) -> None:
    """Raise ValueError if a class was given instead of an estimator."""
    if isinstance(value, type):
        raise ValueError(f"{name}={value.__name__} is a class; give an instance, {value.__name__}().")


def clone_with_shared(estimator: BaseEstimator, name: str) -> BaseEstimator:
    """Clone an estimator as scikit-learn does, except that the clone has the same object as parameter ``name``."""
    twin = object.__new__(type(estimator))
    vars(twin).update(vars(estimator), **{name: None})
    cloned = BaseEstimator.__sklearn_clone__(twin)
    setattr(cloned, name, getattr(estimator, name))
    return cloned


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(field,))
class Parametrized(Versioned, BaseEstimator):
    """An estimator whose class body lists its parameters, ``margin: Positive = 1.0``.

    Subclassing makes a dataclass whose fields become scikit-learn's parameters, and reads the
    range checks from the annotations.  Parameters are keyword-only, unless they are declared as
    ``field(default=..., kw_only=False)``.  The docstring and the signature
    show every parameter, including inherited ones: first those of the class, then those of its
    ancestors in the same file, then those of the shells.
    """

    _doc_link_module = "metricnets"
    _doc_link_template = "{url}"
    _documented_in = "metricnets"  # the module whose page lists the class

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        own_constructor = "__init__" in vars(cls)
        dataclass(kw_only=True, eq=False, repr=False)(cls)
        if not own_constructor:
            _take_nearest_defaults(cls)
        modules = [ancestor.__module__ for ancestor in cls.__mro__]
        ancestors = sorted(cls.__mro__, key=lambda ancestor: modules.index(ancestor.__module__))
        by_name = {f.name: plain_and_constraints(f.type) for f in fields(cls)}
        order = {name: None for ancestor in ancestors for name in inspect.get_annotations(ancestor) if name in by_name}
        cls._parameter_constraints = {name: by_name[name][1] for name in order}
        if not own_constructor:
            cls.__init__ = _explained(cls.__init__, {name: by_name[name][0] for name in order})
        cls.__doc__ = document(cls, ancestors, inspect.signature(cls).parameters)

    def set_params(self, **params: object) -> Self:
        """Set the parameters of this estimator, and of nested ones by ``estimator__parameter``.

        Parameters
        ----------
        **params : dict
            Values by name.

        Returns
        -------
        self : object
            The estimator itself.
        """
        try:
            return super().set_params(**params)
        except ValueError as error:
            known = self._parameter_constraints
            wrong = [name for name in params if name not in known and "__" not in name]
            if not wrong:
                raise
            raise ValueError(f"{error}{did_you_mean(wrong[0], known)}") from None

    def _around_fit(self, method, arguments):
        """Hook: the context of a call of this fitting method, with its arguments by name."""
        return NOTHING

    def _doc_link_url_param_generator(self):
        url = documentation_url()
        return {"url": url and f"{url}/api/{self._documented_in}.{type(self).__name__}.html"}


def _take_nearest_defaults(cls):
    """Give each inherited parameter the type and default of the nearest class that declares it.

    A dataclass takes those of the first base that has the parameter, even if that base inherits it from a shell.
    """
    for name in cls.__dataclass_fields__:
        owner = next(ancestor for ancestor in cls.__mro__ if name in inspect.get_annotations(ancestor))
        cls.__dataclass_fields__[name] = owner.__dataclass_fields__[name]
        if name in (cls.__init__.__kwdefaults__ or {}):
            cls.__init__.__kwdefaults__[name] = cls.__dataclass_fields__[name].default


def _explained(init, types):
    """Give a constructor a signature with plain types in this order, and an error that names the closest parameter."""

    @functools.wraps(init)
    def __init__(self, *args, **kwargs):  # noqa: N807
        for name in kwargs.keys() - types:
            raise TypeError(f"{type(self).__name__} has no parameter {name!r}.{did_you_mean(name, types)}")
        init(self, *args, **kwargs)

    own, *parameters = inspect.signature(init).parameters.values()
    by_name = {parameter.name: parameter for parameter in parameters}
    ordered = [by_name[name].replace(annotation=plain) for name, plain in types.items()]
    ordered.sort(key=lambda parameter: parameter.kind is parameter.KEYWORD_ONLY)
    __init__.__signature__ = inspect.Signature([own, *ordered], return_annotation=None)
    __init__.__annotations__ = types | {"return": None}
    return __init__


def _with_hint(estimator, error):
    """The error of a parameter, with the options that are similar to its value first, and the others sorted."""
    message, name = str(error), str(error).split("'")[1]
    checks = [check for check in estimator._parameter_constraints[name] if isinstance(check, StrOptions)]
    options = nearest_first(getattr(estimator, name), {*chain(*(check.options for check in checks))})
    for check in checks:
        known = ", ".join(repr(option) for option in options if option in check.options)
        message = message.replace(str(check), f"a str among {{{known}}}")
    return InvalidParameterError(f"{message}{did_you_mean(getattr(estimator, name), options)}")


def fitting(fit: Fit) -> Fit:
    """Decorate ``fit``: check the parameters first, call callbacks, and leave the estimator unchanged if it fails.

    NumPy works in one thread during the fit; see `metricnets._runtime.one_blas_thread`.
    """
    signature = inspect.signature(fit)

    @functools.wraps(fit)
    def wrapper(self, *args, **kwargs):
        try:
            bound = signature.bind(self, *args, **kwargs)
        except TypeError as error:  # Python would name the class that defines fit, which may be private
            raise TypeError(f"{type(self).__name__}.{fit.__name__}() {error}") from None
        try:
            self._validate_params()
        except InvalidParameterError as error:
            raise _with_hint(self, error) from None
        before = vars(self).copy()
        try:
            with one_blas_thread, self._around_fit(fit.__name__, bound.arguments):
                tells = getattr(self, "_skl_callbacks", None) and is_task(self)
                return fit_as_task(self, fit, bound) if tells else fit(self, *args, **kwargs)
        except BaseException as error:
            if not isinstance(error, FitInterrupted) or error.estimator is not self:
                vars(self).clear()
                vars(self).update(before)
            advice = advice_on(*bound.args[1:3]) if isinstance(error, (TypeError, ValueError)) else ""
            if advice and not str(error).startswith(advice):  # of a learner within
                raise ValueError(f"{advice}  {error}") from error
            raise

    return wrapper
