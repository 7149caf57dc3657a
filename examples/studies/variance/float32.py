"""How far float32 is from RAdam's rectifier: optax's formula beside this package's."""

from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
import optax

import radam_optax as rx

DECAYS = (0.99, 0.999, 0.9999, 0.99999)
STEPS = 3000
PACKAGES = {"optax": optax, "radam_optax": rx}


def exact_rectifier(b2: float) -> np.ndarray:
    """r_t for t = 1, ..., STEPS, or 0 while rho_t <= 5, where libraries do not adapt.

    The textbook formula in float64; with b2^t by ``expm1`` its relative error is under 1e-9 for these b2.
    """
    t = np.arange(1, STEPS + 1)
    limit = 2 / (1 - b2) - 1
    rho = limit - 2 * t / np.expm1(-t * np.log1p(b2 - 1))
    square = (rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho)
    return np.sqrt(np.where(rho > 5, square, 0))


def rectifier_errors(b2: float, package: ModuleType) -> np.ndarray:
    """Relative errors of the float32 rectifier of a package's RAdam, shape (STEPS,).

    It is read off the updates for the constant gradient 1 with b1 = 0 and eps = 0: RAdam's over Adam's,
    which has the same second moment; or RAdam's, which should be 1, while it should not adapt.
    """

    def updates(tx):
        def step(state, _):
            update, state = tx.update(jnp.ones(()), state)
            return state, update

        return jax.lax.scan(step, tx.init(jnp.ones(())), length=STEPS)[1]

    transforms = package.scale_by_radam, package.scale_by_adam
    radam, adam = jax.jit(lambda: [updates(make(b1=0.0, b2=b2, eps=0.0)) for make in transforms])()
    exact = exact_rectifier(b2)
    adapts = exact > 0
    measured = np.where(adapts, radam / adam, radam).astype(np.float64)
    return np.abs(measured / np.where(adapts, exact, 1) - 1)
