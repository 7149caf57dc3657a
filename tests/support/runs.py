"""Runs of an optimizer over many steps."""

import jax


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
    return jax.jit(lambda *arrays: {name: function(tx, *arrays) for name, tx in txs.items()})


def counted(function):
    """The function jitted, and a list that grows by one with every trace of it."""
    traces = []

    def traced(*args):
        traces.append(None)
        return function(*args)

    return jax.jit(traced), traces
