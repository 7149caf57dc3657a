"""How far RAdam's float32 steps are from exact arithmetic, here and in optax.

With the constant gradient 1, b1 = 0 and eps = 0, the exact update is r_t once RAdam adapts, and 1
before. The oracle is the textbook formula in 60 digits.
"""

import jax
import jax.numpy as jnp
import mpmath
import optax

import radam_optax as rx

STEPS = 3000


def exact_updates(b2: float) -> list[tuple[bool, mpmath.mpf]]:
    """Whether RAdam adapts (rho_t > 5), and its update, at t = 1, ..., STEPS."""
    result = []
    with mpmath.workdps(60):
        b = mpmath.mpf(b2)
        inf = 2 / (1 - b) - 1
        for t in range(1, STEPS + 1):
            rho = inf - 2 * t * b**t / (1 - b**t)
            square = (rho - 4) * (rho - 2) * inf / ((inf - 4) * (inf - 2) * rho)
            result.append((rho > 5, mpmath.sqrt(square) if rho > 5 else mpmath.mpf(1)))
    return result


def updates(tx: optax.GradientTransformation) -> jax.Array:
    """The float32 updates for the constant gradient 1."""

    def step(state, _):
        u, state = tx.update(jnp.ones(()), state)
        return state, u

    return jax.jit(lambda: jax.lax.scan(step, tx.init(jnp.ones(())), length=STEPS)[1])()


def main() -> None:
    print("|     b2  | package | worst relative error of the update | at step | first 10 steps |")
    print("|---------|---------|------------------------------------|---------|----------------|")
    for b2 in (0.99, 0.999, 0.9999, 0.99999):
        exact = exact_updates(b2)
        for name, package in (("optax", optax), ("radam_optax", rx)):
            tx = package.scale_by_radam(b1=0.0, b2=b2, eps=0.0)
            errors = [float(abs(float(u) - e) / e) for u, (_, e) in zip(updates(tx), exact, strict=True)]
            worst = max(range(STEPS), key=errors.__getitem__)
            print(f"| {b2:7} | {name:11} | {errors[worst]:.1e} | {worst + 1} | {max(errors[:10]):.1e} |")
