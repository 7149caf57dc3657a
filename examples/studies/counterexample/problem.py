"""The synthetic problem of Reddi et al. (2018), its optimizers, and Adam's drift on it in closed form.

On [-1, 1], f_t(x) = 1010 x at t = 1, 102, 203, ... and -10 x otherwise; in the stochastic form 1010 x with
probability 0.01. The optimum is -1; the sum over a period of 101 steps is 20 x.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import radam_optax as rx
from examples.lab.training import Recipe
from examples.studies.counterexample.decays import adax, nosadam

RARE, FREQUENT, PERIOD = 1010.0, -10.0, 101
PROBABILITY = 0.01  # Of RARE, in the stochastic form.
MEAN = PROBABILITY * RARE + (1 - PROBABILITY) * FREQUENT  # 0.2: a step's expected regret is 0.2 (x + 1).
B1, B2 = 0.9, 0.99
STARTS = (0.0, -1.0, 1.0)  # Of the online runs; the stochastic ones start at 0.
ALPHAS = (0.01, 0.1, 0.5, 1.0)

to_box = rx.project(lambda x: jnp.clip(x, -1.0, 1.0))


def decaying(make: Any, **arguments: Any) -> Recipe:
    """``alpha -> make(alpha / sqrt(t), ...)`` on [-1, 1], without eps."""
    return lambda alpha: optax.chain(make(rx.inverse_sqrt_decay(alpha), **arguments), to_box)


def _adam(b2: float) -> Recipe:
    return decaying(rx.adam, b1=B1, b2=b2, eps=0.0, bias_correction=False)


def _amsgrad(order: str) -> Recipe:
    return decaying(rx.amsgrad, b1=B1, b2=B2, eps=0.0, bias_correction=order)


# The paper's forms: no bias correction, no eps.
OPTIMIZERS: dict[str, Recipe] = {
    "SGD": decaying(rx.sgd),
    # Its sum of squares is alpha / sqrt(t)'s denominator already.
    "AdaGrad": lambda alpha: optax.chain(rx.adagrad(alpha, 0.0, 0.0), to_box),
    "RMSProp": decaying(rx.rmsprop, decay=B2, eps=0.0),
    "Adam": _adam(B2),
    "RAdam": decaying(rx.radam, b1=B1, b2=B2, eps=0.0),
    "AdamNC": decaying(rx.adamnc, b1=B1, eps=0.0),
    "AMSGrad, no correction": _amsgrad("none"),
    "AMSGrad, maximum first": _amsgrad("after_max"),
    "AMSGrad, maximum last": _amsgrad("before_max"),
    "Adam, b2 = 0.999": _adam(0.999),
    "Adam, b2 = 0.9999": _adam(0.9999),
}


def _remembering(b2: Callable[[Any], Any]) -> Recipe:
    """Adam whose second moment has a schedule of decays that give its past more weight than Adam does."""
    direction = rx.scale_by_adaptive_rate(
        momentum=rx.first_moment(B1, debias=False),
        rate=optax.chain(rx.second_moment(b2, debias=False), rx.inverse_root(0.0)),
    )
    return lambda alpha: optax.chain(
        direction, rx.scale_by_learning_rate(rx.inverse_sqrt_decay(alpha)), to_box
    )


# AdaBound ends as SGD with this learning rate, over the root of t as all others; its default, 0.1, is made
# for gradients of about 1.
BOUND = {"final_lr": 0.01, "eps": 0.0}
SUCCESSORS: dict[str, Recipe] = {
    "ADOPT": decaying(rx.adopt, b1=B1, b2=B2),
    "ADOPT, unclipped": decaying(rx.adopt, b1=B1, b2=B2, use_clipping=False),
    "LaProp": decaying(rx.laprop, b1=B1, b2=B2, eps=0.0),
    "AdaBound": decaying(rx.adabound, b1=B1, b2=B2, **BOUND),
    "AMSBound": decaying(rx.adabound, b1=B1, b2=B2, amsbound=True, **BOUND),
    "Padam": decaying(rx.padam, b1=B1, b2=B2, eps=0.0, amsgrad=True),
    "Padam, no maximum": decaying(rx.padam, b1=B1, b2=B2, eps=0.0),
    "NosAdam": _remembering(nosadam(0.1)),
    "AdaX": _remembering(adax(1e-4)),
    "Lion": decaying(rx.lion, b1=B1, b2=B2, weight_decay=0.0),
}
# A constant learning rate and the bias correction of PyTorch.
CONSTANT: dict[str, Recipe] = {
    "Adam, constant": lambda alpha: optax.chain(rx.adam(alpha, B1, B2, 0.0), to_box),
    "AMSGrad, constant": lambda alpha: optax.chain(
        rx.amsgrad(alpha, B1, B2, 0.0, bias_correction="after_max"), to_box
    ),
}
CONSTANT_ALPHAS = (0.001, 0.01)
# Functions of b2; alpha is that of the pictures.
SHOWN = 0.5
OVER_B2: dict[str, Recipe] = {
    "Adam": lambda b2: decaying(rx.adam, b1=B1, b2=b2, eps=0.0, bias_correction=False)(SHOWN),
    "ADOPT": lambda b2: decaying(rx.adopt, b1=B1, b2=b2)(SHOWN),
    "ADOPT, unclipped": lambda b2: decaying(rx.adopt, b1=B1, b2=b2, use_clipping=False)(SHOWN),
}
B2S = (0.0, 0.3, 0.9, 0.97, 0.99, 0.997, 0.999, 0.9997, 0.9999)


def gradients(chunk: jax.Array, length: int, seeds: int) -> jax.Array:
    """Those of a chunk of steps: shape (length, STARTS + seeds), online problems first."""
    online = jnp.where((chunk * length + jnp.arange(length)) % PERIOD == 0, RARE, FREQUENT)
    keys = jax.vmap(lambda seed: jax.random.fold_in(jax.random.key(seed), chunk))(jnp.arange(seeds))
    rare = jax.vmap(lambda key: jax.random.bernoulli(key, PROBABILITY, (length,)), out_axes=1)(keys)
    stochastic = jnp.where(rare, RARE, FREQUENT)
    return jnp.concatenate([jnp.tile(online[:, None], len(STARTS)), stochastic], axis=1)


def make_program(recipe: Recipe, length: int, seeds: int) -> Any:
    """The jitted function of (carry, alphas, chunk); see :func:`start` for the carry.

    All problems are one parameter vector, since the optimizers work element by element.
    """

    def run(carry, alpha, steps):
        optimizer = recipe(alpha)

        def step(carry, g):
            x, state, losses, sums, positions = carry
            updates, state = optimizer.update(g, state, x)
            return (x + updates, state, losses + g * x, sums + g, positions + x), None

        carry, _ = jax.lax.scan(step, carry, steps)
        return carry

    def program(carry, alphas, chunk):
        steps = gradients(chunk, length, seeds)
        carry = jax.vmap(run, (0, 0, None))(carry, alphas, steps)
        x, _, losses, sums, positions = carry
        taken = (chunk + 1) * length
        # The best point in hindsight is +1 or -1.
        regret = (losses + jnp.abs(sums)) / taken
        return carry, {"x": x, "regret": regret, "expected_regret": MEAN * (positions / taken + 1)}

    return jax.jit(program, donate_argnums=0)


def start(recipe: Recipe, alphas: Sequence[float], seeds: int) -> Any:
    """x, the optimizer's state, and the sums of f_t(x_t), of the gradients and of x_t; alphas lead."""
    x = jnp.concatenate([jnp.asarray(STARTS), jnp.zeros(seeds)])

    def one(alpha):
        return x, recipe(alpha).init(x), *(jnp.zeros_like(x) for _ in range(3))

    return jax.jit(jax.vmap(one))(jnp.asarray(alphas))


def _steady(decay: float, values: np.ndarray) -> np.ndarray:
    """The moving average of a periodic sequence after infinitely many periods."""
    weights = (1 - decay) * decay ** np.arange(PERIOD) / -np.expm1(PERIOD * np.log(decay)) if decay else 1.0
    lags = (np.arange(PERIOD)[:, None] - np.arange(PERIOD)) % PERIOD
    return (values[lags] * weights).sum(axis=1) if decay else values


def drift(b1: float, b2: float, maximum: bool = False) -> float:
    """How far an unconstrained x moves in a period, divided by alpha, once the averages are periodic.

    ``-sum m_t / sqrt(v_t)``; with ``maximum``, AMSGrad's, v_t is its maximum. The right way is down.
    """
    g = np.where(np.arange(PERIOD) == 0, RARE, FREQUENT)
    v = _steady(b2, g**2)
    return float(-(_steady(b1, g) / np.sqrt(v.max() if maximum else v)).sum())


def measured_drift(b1: float, b2: jax.Array, periods: int) -> jax.Array:
    """The drift of :func:`radam_optax.adam` in the last of so many periods, for each of a vector of b2."""
    g = jnp.tile(jnp.where(jnp.arange(PERIOD) == 0, RARE, FREQUENT), (periods, 1))

    def one(b2):
        optimizer = rx.adam(1.0, b1, b2, eps=0.0, bias_correction=False)

        def step(carry: Any, g: jax.Array) -> tuple[Any, Any]:
            updates, state = optimizer.update(g, carry)
            return state, updates

        def period(carry, g):
            carry, updates = jax.lax.scan(step, carry, g)
            return carry, updates.sum()

        return jax.lax.scan(period, optimizer.init(jnp.zeros(())), g)[1][-1]

    return jax.jit(jax.vmap(one))(b2)


def drifts() -> dict[str, np.ndarray]:
    """The drift over b2: exact for Adam with two b1 and for AMSGrad, and as radam_optax moves."""
    b2 = 1 - np.logspace(-1, -5, 161)
    few = 1 - np.logspace(-1, -4, 13)
    return {
        "b2": b2,
        "Adam, b1 = 0.9": np.array([drift(0.9, b) for b in b2]),
        "Adam, b1 = 0": np.array([drift(0.0, b) for b in b2]),
        "AMSGrad, b1 = 0.9": np.array([drift(0.9, b, maximum=True) for b in b2]),
        "measured b2": few,
        "measured": np.asarray(measured_drift(0.9, jnp.asarray(few), 1000)),
    }


def theorem_1(c: jax.Array, steps: int) -> jax.Array:
    """x after so many steps of Adam with b1 = 0, b2 = 1 / (1 + C^2), alpha = 0.5, from 0.

    The problem is f_t = C x if t mod 3 = 1, else -x, on [-1, 1], with optimum -1.
    """

    def one(c):
        optimizer = decaying(rx.adam, b1=0.0, b2=1 / (1 + c**2), eps=0.0, bias_correction=False)(0.5)

        def step(carry, t):
            x, state = carry
            updates, state = optimizer.update(jnp.where(t % 3 == 0, c, -1.0), state, x)
            return (x + updates, state), None

        return jax.lax.scan(step, (jnp.zeros(()), optimizer.init(jnp.zeros(()))), jnp.arange(steps))[0][0]

    return jax.jit(jax.vmap(one))(c)
