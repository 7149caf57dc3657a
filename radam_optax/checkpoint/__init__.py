"""Checkpoints with Orbax that know whose they are: ``from radam_optax import checkpoint``.

A resumed run is bitwise the uninterrupted one, on the same machine. A checkpoint is a folder that Orbax
writes under another name and commits by one rename: a save that is killed leaves nothing that could be
taken for one. It holds two items:

``arrays``
    the leaves, in Orbax's format, by path: ``params['w']``, ``opt_state[0].mu['w']``; of a sharded array
    each process writes its part.
``manifest``
    JSON: the call that made the optimizer, the links of its state, and the shape, dtype and checksum of
    each leaf, none of which depends on meshes or processes. It is read first, so that the state of
    another optimizer is refused by name.

Needs the extra ``checkpoint``. One run may save into a folder; any number may restore from it.

A run of many processes (``jax.distributed.initialize``) shares the folder. All of its processes make
:class:`Checkpoints` and call ``save``, ``restore``, ``wait`` and ``close`` together, with the same
arguments; where one cannot save or restore, all fail. The next run may have other meshes and another number
of processes: each reads the parts that its devices hold. Where a process dies, the last checkpoint stays
whole, and the others end by themselves: their next collective fails, or ``jax.distributed`` stops them when
it misses the heartbeat (``heartbeat_timeout_seconds``, 100 by default). Where one cannot write but lives,
the others hear of it after 20 minutes, within which every write has to be done.
"""

try:
    import orbax.checkpoint as _orbax_checkpoint  # noqa: F401
except ModuleNotFoundError as _missing:
    message = "radam_optax.checkpoint needs Orbax: pip install 'radam-optax[checkpoint]'"
    raise ModuleNotFoundError(message, name=_missing.name) from _missing

from radam_optax.checkpoint._checkpoints import Checkpoints, Restored

__all__ = [
    "Checkpoints",
    "Restored",
]


def __dir__() -> list[str]:
    """What completion shows."""
    return __all__
