"""Factories whose arguments are checked, and transformations that know the call that made them."""

import contextvars
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

import jax
import optax

from radam_optax._core.domains import Rule
from radam_optax._core.misfits import misfit

P = ParamSpec("P")
R = TypeVar("R")


class Call(NamedTuple):
    """A factory of the package and the arguments that it was called with, defaults included."""

    factory: Callable[..., Any]
    arguments: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.factory.__name__

    def defaults(self) -> dict[str, Any]:
        """By argument; ``inspect.Parameter.empty`` where there is none."""
        return {n: p.default for n, p in inspect.signature(self.factory).parameters.items()}

    def again(self) -> Any:
        """What the same call makes."""
        bound = inspect.BoundArguments(inspect.signature(self.factory), dict(self.arguments))  # pyright: ignore[reportArgumentType]
        return self.factory(*bound.args, **bound.kwargs)

    def key(self) -> Any:
        """Equal for equal calls; None where an argument has no hash, as arrays have none."""
        key = (self.factory, *self.arguments.values())
        try:
            hash(key)
        except TypeError:
            return None
        return key

    def __str__(self) -> str:
        """As it would be written: what differs from the defaults, by keyword."""
        written = []
        for name, parameter in inspect.signature(self.factory).parameters.items():
            value = self.arguments[name]
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                written += map(repr, value)
            elif repr(value) != repr(parameter.default):
                written.append(f"{name}={value!r}")
        return f"{self.name}({', '.join(written)})"


class _Made:
    call: Call | None = None  # As it is after `_make`.
    remade = False  # Whether the call makes the same again: not after `_replace`.

    def __repr__(self) -> str:
        return str(self.call) if self.call else super().__repr__()

    # Equal if the calls are, so that as a static argument of a jitted function, or within the state of one,
    # another one of the same does not compile it again.
    def __eq__(self, other: object) -> bool:
        keys = [made._key() if isinstance(made, _Made) else None for made in (self, other)]
        return keys[0] == keys[1] if None not in keys else super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self._key() or tuple(self))  # pyright: ignore[reportArgumentType]

    def _key(self) -> Any:
        return self.call.key() if self.call and self.remade else None

    def __reduce__(self) -> Any:
        # By the call, since what pickles closures, as dill does, would copy modules that they name.
        return (_again, tuple(self.call)) if self.call and self.remade else super().__reduce__()

    def _replace(self, **fields: Any) -> Any:
        return _with_call(super()._replace(**fields), self.call)  # pyright: ignore[reportAttributeAccessIssue]


def _again(factory: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    return Call(factory, arguments).again()


class _Transformation(_Made, optax.GradientTransformation):
    pass


class _TransformationExtraArgs(_Made, optax.GradientTransformationExtraArgs):
    pass


class _Remark:
    """What goes with a tree but is no part of its structure: trees that differ in it alone are alike."""

    def __init__(self, content: Any):
        self.content = content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Remark)

    def __hash__(self) -> int:
        return 0


# Equinox and others map over a transformation, as over any tuple.
for _kind in (_Transformation, _TransformationExtraArgs):
    jax.tree_util.register_pytree_with_keys(
        _kind,
        lambda made: (
            tuple((jax.tree_util.GetAttrKey(name), getattr(made, name)) for name in made._fields),
            _Remark(made.call),
        ),
        functools.partial(lambda kind, remark, parts: _with_call(kind(*parts), remark.content), _kind),
    )


def call_of(transformation: Any) -> Call | None:
    """The call that made it; None for what the package did not make, such as an :func:`optax.chain`."""
    return getattr(transformation, "call", None)


def check_direction(factory: str, name: str, inner: Any) -> None:
    """Raises ValueError if ``inner`` is known to be a complete optimizer, whose updates descend."""
    call = call_of(inner)
    if call and call.arguments.get("learning_rate") is not None:
        raise ValueError(
            f"`{name}` must be a direction before the learning rate, as rx.scale_by_radam() is; got {call}, "
            f"whose updates are steps of descent. Put `{factory}` around the direction."
        )


def handed(link: str, name: str, extra_args: Mapping[str, Any], otherwise: str = "") -> Any:
    """The extra argument that a link of a rate cannot do without; raises ValueError where it is missing."""
    if name not in extra_args:
        raise ValueError(
            f"`{link}` needs `{name}`: use it in the rate of `scale_by_adaptive_rate`{otherwise}."
        )
    return extra_args[name]


# Whether a checked factory is at work. What it builds itself is the package's own line: its arguments have
# been checked, and the call that a user wrote is the outermost one.
_building = contextvars.ContextVar("_building", default=False)


def validated(factory: Callable[P, R]) -> Callable[P, R]:
    """Checks a factory's arguments by the domains in their annotations, ``b2: Decay``; every one has its own.

    None passes where the annotation says so, ``mask: Mask | None``. A transformation that comes out remembers
    the call, and prints as it.
    """
    signature = inspect.signature(factory)

    @functools.cache
    def domains():
        # Annotations are text in the modules, so that `help` shows the names of the domains. They are read at
        # the first call: those of all factories are a third of the time to import the package.
        hints = get_type_hints(factory, include_extras=True)
        return {name: _domain(name, hints[name]) for name in signature.parameters}

    @functools.wraps(factory)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if _building.get():
            return factory(*args, **kwargs)
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            raise TypeError(misfit(factory, args, kwargs)) from None
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            rule, optional = domains()[name]
            if not (value is None and optional):
                bound.arguments[name] = rule(name, value)
        token = _building.set(True)
        try:
            result = factory(*bound.args, **bound.kwargs)
        finally:
            _building.reset(token)
        if isinstance(result, optax.GradientTransformation):
            return _made_by(Call(checked, bound.arguments), result)  # pyright: ignore[reportReturnType]
        return result

    return checked


def _domain(name: str, hint: Any) -> tuple[Rule, bool]:
    """The rule of an annotation, and whether it lets None pass."""
    alternatives = (hint,) if get_origin(hint) is Annotated else get_args(hint)
    rules = [get_args(a)[1] for a in alternatives if get_origin(a) is Annotated]
    if len(rules) != 1:
        raise TypeError(f"`{name}` must be annotated with one domain, Annotated[type, rule]; got {hint}.")
    return rules[0], type(None) in alternatives


def _made_by(call: Call, transformation: optax.GradientTransformation) -> optax.GradientTransformation:
    extra = isinstance(transformation, optax.GradientTransformationExtraArgs)
    made = _with_call((_TransformationExtraArgs if extra else _Transformation)(*transformation), call)
    made.remade = True
    return made


def _with_call(made: Any, call: Call | None) -> Any:
    made.call = call
    return made
