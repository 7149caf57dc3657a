"""optax's chain and mask, with what does not fit said in the package's words: recipes are made of them."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import optax

from radam_optax._core.domains import flags_in, gives_mask
from radam_optax._core.messages import ORDER, kind_of, name_of
from radam_optax._core.values import Optimizer


def chain(*links: optax.GradientTransformation) -> Optimizer:
    """:func:`optax.chain`, whose states are told from parameters and from the states of other optimizers."""
    chained = optax.chain(*links)

    def update(updates, state, params=None, **extra_args):
        # States that have been saved may come back as lists.
        if not (isinstance(state, tuple | list) and len(state) == len(links)):
            raise TypeError(
                f"`state` must be what this optimizer's `init` returned, a tuple of {len(links)}; got "
                f"{kind_of(state)}. {ORDER}"
            )
        return chained.update(updates, state, params, **extra_args)

    return optax.GradientTransformationExtraArgs(chained.init, update)


def masked(link: optax.GradientTransformation, mask: Any) -> optax.GradientTransformation:
    """:func:`optax.masked`, whose masks hold nothing but flags, and fit the parameters.

    Args:
      link: what the mask chooses leaves for.
      mask: a tree of flags, or a function of the parameters that gives it.
    """
    called = gives_mask(mask)
    plain = optax.masked(link, functools.partial(_called, mask) if called else mask)

    def init(params):
        try:
            return plain.init(params)
        except ValueError:
            _check_fit(mask(params) if called else mask, params)
            raise

    return optax.GradientTransformationExtraArgs(init, plain.update)


def _called(mask: Callable[[Any], Any], params: Any) -> Any:
    return flags_in("mask", mask(params))


def _check_fit(mask: Any, params: Any) -> None:
    """Raises ValueError if the flags of a mask do not stand where parameters, or parts of their tree, do."""
    flags, leaves = (
        [path for path, _ in jax.tree_util.tree_leaves_with_path(tree)] for tree in (mask, params)
    )
    bare = [leaf for leaf in leaves if not any(leaf[: len(flag)] == flag for flag in flags)]
    idle = [flag for flag in flags if not any(leaf[: len(flag)] == flag for leaf in leaves)]
    if bare or idle:
        what = f"nothing for {name_of(bare[0])!r}" if bare else f"{name_of(idle[0])!r}, which is no parameter"
        raise ValueError(
            "`mask` must have the structure of the parameters, with True or False for each leaf or branch; "
            f"it has {what}."
        ) from None
