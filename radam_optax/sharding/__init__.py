"""Where an optimizer's state is kept.

The state of this package's transformations is sharded like their parameters, from ``init`` on, jitted or not,
and an update communicates nothing: data parallelism, FSDP and tensor parallelism need no function of this
module. :func:`shard_state` divides the state further than the parameters, :func:`offload_state` keeps it in
the host's memory.
"""

from radam_optax.sharding._host import offload_state
from radam_optax.sharding._zero import shard_state

__all__ = [
    "offload_state",
    "shard_state",
]


def __dir__() -> list[str]:
    """What completion shows."""
    return __all__
