"""The numbers of the page on the rectifier, which the package computes when the site is built."""

import json

import numpy as np
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import radam_optax as rx

DECAYS = (0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 0.99995, 0.99999)
VARIANCES, LENGTHS = ("first_order", "exact"), ("centre_of_mass", "variance")
# Every one of the first fifty, then 36 to a factor of ten, up to ten times the longest memory.
UPDATES = np.unique(np.concatenate([np.arange(1, 51), np.geomspace(10, 1e6, 181).round()])).astype(int)
FORGOTTEN = 20  # Memories, 1/(1 - b2) updates each, after which a rectifier is 1.


def short(values):
    """As many digits as float32 has."""
    return [float(f"{value:.7g}") for value in np.asarray(values).tolist()]


def lost(warmup):
    """How many whole steps a warmup leaves out in all: the sum of 1 - w_t."""
    return round(float(np.sum(1 - np.asarray(warmup, np.float64))), 1)


def of_decay(b2):
    """rho_t and r_t of each choice, and the two warmups beside it."""
    every = np.arange(1, round(FORGOTTEN / (1 - b2)) + 1)
    table = {"rho": {}, "r": {}, "lost": {}}
    for length in LENGTHS:
        table["rho"][length] = short(rx.rectification(b2, UPDATES, length=length).rho)
        for variance in VARIANCES:
            choice = {"variance": variance, "length": length}
            table["r"][f"{length} {variance}"] = short(rx.rectification(b2, UPDATES, **choice).r)
            table["lost"][f"{length} {variance}"] = lost(rx.rectification(b2, every, **choice).r)
    for name, schedule in {
        "linear": rx.untuned_linear_warmup,
        "exponential": rx.untuned_exponential_warmup,
    }.items():
        warmup = schedule(1.0, b2)
        table["r"][name] = short(warmup(UPDATES - 1))
        table["lost"][name] = lost(warmup(every - 1))
    return table


class Rectifier(SphinxDirective):
    """The numbers, as a part of the page, and the script that reads them."""

    def run(self):
        numbers = {
            "updates": UPDATES.tolist(),
            "decays": list(map(str, DECAYS)),
            "tables": list(map(of_decay, DECAYS)),
        }
        data = json.dumps(numbers, separators=(",", ":"))
        html = (
            f'<script type="application/json" id="rectifier-numbers">{data}</script>'
            '<script src="_static/rectifier.js" defer></script>'
        )
        return [nodes.raw("", html, format="html")]


def setup(app):
    app.add_directive("rectifier", Rectifier)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
