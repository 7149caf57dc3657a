"""Whose checkpoint it is: the call that made the optimizer, the links of its state, all of its leaves."""

import json
import zlib
from typing import Any, NamedTuple

import jax
import jax.core
import numpy as np
import optax

from radam_optax._core.calls import call_of

_FORMAT = 1
_FUNCTION = "<function>"  # A schedule or a mask.
_MAY_CHANGE = ("learning_rate", "lr")
_FLOATS = ("float64", "float32", "bfloat16", "float16")
_WITHOUT_X64 = {"float64": "float32", "int64": "int32", "uint64": "uint32", "complex128": "complex64"}


class Trees(NamedTuple):
    """What a checkpoint holds."""

    params: Any
    opt_state: Any
    extra: Any


def crc32_of(content: Any) -> int:
    """Of what JSON makes of the content."""
    return zlib.crc32(json.dumps(content, sort_keys=True).encode())


def leaves_of(trees: Trees) -> dict[str, Any]:
    """The leaves by path, in the order of :func:`jax.tree.leaves`.

    An array has the same path in a variable of Flax NNX and without: a state of :class:`flax.nnx.Optimizer`
    is that of ``init``, in variables.
    """
    found = {}
    for path, node in jax.tree_util.tree_leaves_with_path(trees, is_leaf=_is_variable):
        for within, leaf in jax.tree_util.tree_leaves_with_path(node):
            path_of_leaf = (*path, *within[1:])  # Without the variable's own `.value`.
            found[jax.tree_util.keystr(path_of_leaf).removeprefix(".")] = leaf
    return found


def _is_variable(x: Any) -> bool:
    """Whether a node is a variable of Flax NNX, which need not be there."""
    return hasattr(type(x), "get_metadata") and hasattr(type(x), "get_value")


def manifest_of(optimizer: Any, trees: Trees) -> dict[str, Any]:
    """All but the checksums."""

    def record(leaf):
        leaf = leaf if hasattr(leaf, "dtype") else np.asarray(leaf)
        weak_type = getattr(leaf, "weak_type", False)
        return {"shape": list(leaf.shape), "dtype": str(leaf.dtype), "weak_type": bool(weak_type)}

    return {
        "format": _FORMAT,
        "recipe": _recipe(optimizer),
        "links": _links(trees.opt_state, jax.tree.structure(trees.params)),
        "leaves": {path: record(leaf) for path, leaf in leaves_of(trees).items()},
    }


def with_checksums(manifest: dict[str, Any], totals: dict[str, int]) -> dict[str, Any]:
    """A manifest that says of each leaf what its checksum is."""
    leaves = {path: record | {"checksum": totals[path]} for path, record in manifest["leaves"].items()}
    return manifest | {"leaves": leaves}


def _recipe(optimizer: Any) -> dict[str, Any] | None:
    """The call that made the optimizer; None for what the package did not make."""
    call = call_of(optimizer)
    if call is None:
        return None
    defaults = {name: _text(value) for name, value in call.defaults().items()}
    arguments = {name: _text(value) for name, value in call.arguments.items()}
    given = [f"{n}={text}" for n, text in arguments.items() if text != defaults[n] or text == _FUNCTION]
    return {"name": call.name, "arguments": arguments, "call": f"{call.name}({', '.join(given)})"}


def _text(value: Any) -> str:
    if recipe := _recipe(value):
        return recipe["call"]
    if isinstance(value, jax.core.Tracer):
        return "<array>"
    if isinstance(value, jax.Array | np.dtype):
        return str(value)
    if callable(value):
        return _FUNCTION
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return f"({', '.join(map(_text, value))})"
    return repr(value) if value is None or isinstance(value, bool | int | float | str) else "<tree>"


def _links(state: Any, params: Any) -> str:
    """The named tuples of a state, nested, without what has the structure of the parameters."""
    within_parameters = isinstance(state, optax.MaskedNode) or jax.tree.structure(state) == params
    if within_parameters or not isinstance(state, tuple | list | dict):
        return ""
    named = state.items() if isinstance(state, dict) else (("", part) for part in state)
    parts = ((key, _links(part, params)) for key, part in named)
    inner = ", ".join(f"{key}: {text}".removeprefix(": ") for key, text in parts if text)
    name = type(state).__name__ if hasattr(state, "_fields") else ""
    return f"{name}({inner})" if inner else name


def refuse_others(what: str, theirs: dict[str, Any], ours: dict[str, Any], advice: str) -> None:
    """Raises ValueError unless two manifests are of one optimizer and of the same trees."""
    if theirs["format"] != ours["format"]:
        raise ValueError(f"{what} in format {theirs['format']}; this version reads {ours['format']}.")
    their, our = theirs["recipe"] or {}, ours["recipe"] or {}
    if theirs["links"] != ours["links"] or (their and our and their["name"] != our["name"]):
        by_state = (f"a transformation with the state {side['links'] or '()'}" for side in (theirs, ours))
        by_call = (recipe.get("call") if their != our else None for recipe in (their, our))
        them, us = (call or state for call, state in zip(by_call, by_state, strict=True))
        raise ValueError(f"{what} by {them}; the optimizer is {us}. {advice}")
    for name, value in their["arguments"].items() if their and our else ():
        mine = our["arguments"].get(name, value)
        if value != mine and name not in _MAY_CHANGE and _FUNCTION not in (value, mine):
            raise ValueError(f"{what} with {name}={value}; the optimizer has {name}={mine}. {advice}")
    for path in ours["leaves"] | theirs["leaves"]:
        sides = [side["leaves"].get(path) for side in (theirs, ours)]
        a, b = (f"{r['dtype']}{r['shape']}" if r else "nothing" for r in sides)
        if a != b and not (path.startswith("opt_state") and _same_but_for_dtype(*sides)):
            raise ValueError(f"{what} with {path} = {a}; here it is {b}. {_x64_advice(*sides)}{advice}")


def _same_but_for_dtype(theirs: dict[str, Any] | None, ours: dict[str, Any] | None) -> bool:
    """Whether a leaf of a state may keep its dtype, though `init` would make it in another one.

    Some states of optax leave the dtypes of their `init`, others depend on JAX's x64 mode. One that JAX does
    not have now it cannot keep.
    """
    if not (theirs and ours and theirs["shape"] == ours["shape"]) or _needs_x64(theirs):
        return False
    dtypes = theirs["dtype"], ours["dtype"]
    narrow = {_WITHOUT_X64.get(dtype, dtype) for dtype in dtypes}
    return len(narrow) == 1 or set(dtypes) <= {*_FLOATS}


def _needs_x64(record: dict[str, Any]) -> bool:
    return record["dtype"] in _WITHOUT_X64 and not jax.config.read("jax_enable_x64")


def _x64_advice(theirs: dict[str, Any] | None, ours: dict[str, Any] | None) -> str:
    if not (theirs and ours):
        return ""
    if _WITHOUT_X64.get(theirs["dtype"]) == ours["dtype"] and _needs_x64(theirs):
        return "Switch JAX's x64 mode on, as it was then. "
    if _WITHOUT_X64.get(ours["dtype"]) == theirs["dtype"]:
        return "JAX's x64 mode may have been off then. "
    return ""
