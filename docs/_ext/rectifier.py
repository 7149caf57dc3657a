"""The numbers of the page on the rectifier, which the package computes when the site is built."""

import functools
import itertools
import json

import jax
import numpy as np
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import radam_optax as rx

DECAYS = (0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 0.99995, 0.99999)
VARIANCES, LENGTHS = ("first_order", "exact"), ("centre_of_mass", "variance")
WARMUPS = {"linear": rx.untuned_linear_warmup, "exponential": rx.untuned_exponential_warmup}
# Every one of the first fifty, then 36 to a factor of ten, up to ten times the longest memory.
UPDATES = np.unique(np.concatenate([np.arange(1, 51), np.geomspace(10, 1e6, 181).round()])).astype(int)
FORGOTTEN = 20  # Memories, 1/(1 - b2) updates each, after which a rectifier is 1.
PART = 2**17  # Updates at a time, so that one program serves all decays.


@functools.partial(jax.jit, static_argnames=("variance", "length"))
def rectification(b2, count, variance, length):
    return rx.rectification(b2, count, variance=variance, length=length)


def lost(warmup, b2):
    """How many whole steps a warmup leaves out in all: the sum of 1 - w_t."""
    last, total = FORGOTTEN / (1 - b2), 0.0
    for first in range(1, round(last) + 1, PART):
        t = np.arange(first, first + PART)
        total += np.sum(1 - np.asarray(warmup(t)), where=t <= last)
    return round(float(total), 1)


def short(values):
    """Seven digits."""
    return [float(f"{value:.7g}") for value in np.asarray(values).tolist()]


def of_decay(b2):
    """rho_t and r_t of each choice, and the two warmups beside it."""
    table = {"rho": {}, "r": {}, "lost": {}}
    for length, variance in itertools.product(LENGTHS, VARIANCES):
        rectified = functools.partial(rectification, b2, variance=variance, length=length)
        found = rectified(UPDATES)
        table["rho"][length] = short(found.rho)
        table["r"][f"{length} {variance}"] = short(found.r)
        table["lost"][f"{length} {variance}"] = lost(lambda t, rectified=rectified: rectified(t).r, b2)
    for name, schedule in WARMUPS.items():
        warmup = schedule(1.0, b2)
        table["r"][name] = short(warmup(UPDATES - 1))
        table["lost"][name] = lost(lambda t, warmup=warmup: warmup(t - 1), b2)
    return table


class Rectifier(SphinxDirective):
    """The numbers, as a part of the page, and the script that reads them."""

    def run(self):
        with jax.enable_x64(True):  # In float32 a decay that one program takes as an argument is rounded.
            tables = list(map(of_decay, DECAYS))
        numbers = {"updates": UPDATES.tolist(), "decays": list(map(str, DECAYS)), "tables": tables}
        data = json.dumps(numbers, separators=(",", ":"))
        html = (
            f'<script type="application/json" id="rectifier-numbers">{data}</script>'
            '<script src="_static/rectifier.js" defer></script>'
        )
        return [nodes.raw("", html, format="html")]


def setup(app):
    app.add_directive("rectifier", Rectifier)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
