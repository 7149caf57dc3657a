"""Runs of an optimizer over many steps."""

import functools

import jax

from tests.support.compiler import UNOPTIMIZED

# Not for what another jitted function calls: JAX takes options for whole programs only.
jit_unoptimized = functools.partial(jax.jit, compiler_options=UNOPTIMIZED)


def apply(params, updates):
    return jax.tree.map(lambda p, u: p + u.astype(p.dtype), params, updates)


def run(tx, params, grads):
    """All steps in one scan: the parameters, the updates of every step, the last state."""

    def step(carry, g):
        p, s = carry
        u, s = tx.update(g, s, p)
        return (apply(p, u), s), u

    (params, state), updates = jax.lax.scan(step, (params, tx.init(params)), grads)
    return params, updates, state


def each(txs, function):
    """What a function of an optimizer and arrays makes of each, as one program.

    It is compiled in less time than a program for each of them.
    """
    return jit_unoptimized(lambda *arrays: {name: function(tx, *arrays) for name, tx in txs.items()})


def counted(function, jit=jax.jit):
    """The function jitted, and a list that grows by one with every trace of it."""
    traces = []

    def traced(*args):
        traces.append(None)
        return function(*args)

    return jit(traced), traces
