"""What is wrong with a call that does not fit its function, and what was meant by it."""

import difflib
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

# What one and the same argument is called here, in papers and in other frameworks.
_SYNONYMS = tuple(
    set(names.split())
    for names in (
        "learning_rate lr step_size",
        "b1 beta1 beta_1 betas momentum",
        "b2 beta2 beta_2 betas",
        "b3 beta3 beta_3 betas",
        "eps epsilon",
        "decay alpha rho",
        "weight_decay wd",
    )
)
_LINKS = {"weight_decay": "add_decayed_weights"}  # What does in a chain what others have an argument for.


def misfit(function: Callable[..., Any], arguments: Sequence[Any], keywords: Mapping[str, Any]) -> str:
    """What to say of ``function(*arguments, **keywords)``, which its signature does not allow."""
    name, parameters = function.__name__, inspect.signature(function).parameters
    for keyword in keywords:
        if keyword not in parameters:
            return f"{name}() has no argument `{keyword}`{_advice(keyword, function, [*parameters])}"
    in_order = [n for n, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    if len(arguments) > len(in_order):
        named = [n for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY]
        advice = f" Give {_listed(named)} by name." if named else ""
        return f"{name}() takes {len(in_order)} arguments by position; got {len(arguments)}.{advice}"
    given = in_order[: len(arguments)]
    if twice := [n for n in given if n in keywords]:
        return f"{name}() got `{twice[0]}` by position and by name."
    missing = [n for n, p in parameters.items() if p.default is p.empty and n not in (*given, *keywords)]
    return f"{name}() needs {_listed(missing)}."


def _advice(keyword: str, function: Callable[..., Any], names: list[str]) -> str:
    """The end of a sentence about a keyword that is none of an argument's ``names``."""
    same = [n for n in names if any({n, keyword} <= group for group in _SYNONYMS)]
    if not same and (alike := difflib.get_close_matches(keyword, names, 1)):
        return f": did you mean `{alike[0]}`?"
    if same:
        hint = f": did you mean {_listed(same)}?"
    elif other := _beside(function, keyword):
        hint = f"; there is the function `{other}`."
    else:
        hint = f"; it has {_listed(names)}."
    complete = "learning_rate" in names and ".presets." not in function.__module__
    presets = " The functions of radam_optax.presets have the arguments of PyTorch and Keras."
    return hint + presets if complete else hint


def _beside(function: Callable[..., Any], keyword: str) -> str | None:
    """What has the argument and the name's beginning, as `adamw` for `adam`, or the name, as `amsgrad`."""
    beside = {n: f for n, f in vars(sys.modules[function.__module__]).items() if inspect.isfunction(f)}
    longer = [n for n in beside if n.startswith(function.__name__)]
    having = [n for n in longer if keyword in inspect.signature(beside[n]).parameters]
    named = [n for n in (keyword, _LINKS.get(keyword)) if n in beside]
    return min(having, key=len) if having else next(iter(named), None)


def _listed(names: Iterable[str]) -> str:
    *others, last = (f"`{name}`" for name in names)
    return f"{', '.join(others)} and {last}" if others else last
