"""How Orbax is asked to write a checkpoint, whole or not at all, and to read of one what a process needs."""

import pathlib
import shutil
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from radam_optax._core.placement import sharding_of
from radam_optax.checkpoint._errors import UnusableError, told
from radam_optax.checkpoint._manifest import crc32_of

TRASH = "deleted"  # What Orbax discards is renamed into it first: nothing half deleted is ever listed.
_PATIENCE = 20 * 60  # Seconds for a write, and for the other processes to end theirs.


def opened(folder: pathlib.Path, keep: int, mark: str) -> ocp.CheckpointManager:
    """What writes one save. ``mark`` is its own, so that no other, were it into another folder, waits at its
    barriers; ``keep`` checkpoints stay.
    """
    options = ocp.CheckpointManagerOptions(
        preservation_policy=ocp.checkpoint_managers.LatestN(keep),
        todelete_subdir=TRASH,
        async_options=ocp.AsyncOptions(timeout_secs=_PATIENCE),
        # Named, they meet at barriers that have a time-out.
        multiprocessing_options=ocp.options.MultiprocessingOptions(
            barrier_sync_key_prefix=mark, active_processes=set(range(jax.process_count()))
        ),
        lightweight_initialize=True,
        create=False,
        save_root_metadata=False,
    )
    return ocp.CheckpointManager(folder, options=options)


def write(
    manager: ocp.CheckpointManager, step: int, arrays: dict[str, Any], manifest: dict[str, Any]
) -> None:
    """Begins to write; the manager is to be waited for."""
    items = ocp.args.Composite(
        arrays=ocp.args.PyTreeSave(arrays),
        manifest=ocp.args.JsonSave({"content": manifest, "crc32": crc32_of(manifest)}),
    )
    manager.save(step, args=items, force=True)


def sweep(folder: pathlib.Path) -> None:
    """Removes what killed or failed saves have left, and what Orbax has discarded."""
    for path in (folder / TRASH, *folder.glob(f"*{ocp.utils.TMP_DIR_SUFFIX}*")):
        shutil.rmtree(path, ignore_errors=True)


def read_manifest(checkpoint: pathlib.Path) -> dict[str, Any]:
    """What :func:`write` put beside the arrays: ``content`` and ``crc32``.

    Raises:
      UnusableError: it cannot be read, and never will be.
      OSError: it could not be read this time.
    """
    return _read(checkpoint / "manifest", ocp.JsonCheckpointHandler(), ocp.args.JsonRestore())


def read_arrays(checkpoint: pathlib.Path, likes: dict[str, Any], records: dict[str, Any]) -> dict[str, Any]:
    """By path, what the devices of this process hold of ``likes``. Raises as :func:`read_manifest` does."""
    # Arrays without elements are not written: Orbax refuses them.
    how = {path: _how(like, records[path]) for path, like in likes.items() if 0 not in records[path]["shape"]}
    args = ocp.args.PyTreeRestore(dict.fromkeys(how, 0), restore_args=how, partial_restore=True)
    arrays = _read(checkpoint / "arrays", ocp.PyTreeCheckpointHandler(), args)
    for path, x in arrays.items():
        if isinstance(x, int):  # As it was asked for: Orbax has not found it.
            raise UnusableError(f"{path} is missing")
    return arrays


def _read(item: pathlib.Path, handler: Any, args: Any) -> dict[str, Any]:
    alone = {jax.process_index()}  # Where one cannot read, it is `together` that they find out.
    options = ocp.options.MultiprocessingOptions(primary_host=min(alone), active_processes=alone)
    try:
        with ocp.Checkpointer(handler, multiprocessing_options=options) as reader:
            return dict(reader.restore(item, args=args))
    except (MemoryError, jax.errors.JaxRuntimeError):  # Of memory, of devices: not of what was read.
        raise
    except Exception as error:  # Of whatever kind: what Orbax cannot read is of no use.
        raise told(error) from error


def _how(like: Any, record: dict[str, Any]) -> ocp.RestoreArgs:
    """How Orbax is to read a leaf: its parts in their places where it can, the rest as NumPy's."""
    if not hasattr(like, "dtype") or isinstance(like, np.ndarray | np.generic):
        return ocp.RestoreArgs(restore_type=np.ndarray)
    key = jnp.issubdtype(like.dtype, jax.dtypes.prng_key)
    if not key and jax.dtypes.canonicalize_dtype(record["dtype"]) != record["dtype"]:
        raise ValueError(f"The checkpoint holds arrays of {record['dtype']}: switch JAX's x64 mode on.")
    if key or record["weak_type"] or sharding_of(like) is None:
        return ocp.RestoreArgs(restore_type=np.ndarray)
    return ocp.ArrayRestoreArgs(sharding=sharding_of(like))


def placed(data: Any, record: dict[str, Any], like: Any) -> Any:
    """What Orbax read (None: an array without elements), of the kind and in the place of ``like``."""
    x: Any = np.empty(record["shape"], record["dtype"]) if data is None else data
    if isinstance(like, np.ndarray) or isinstance(x, jax.Array):
        return x
    if isinstance(like, np.generic | bool | int | float | complex):
        return type(like)(x.item())

    def made(x):
        if jnp.issubdtype(like.dtype, jax.dtypes.prng_key):
            impl = []  # jax.random.key_impl takes no ShapeDtypeStruct.
            jax.eval_shape(lambda key: impl.append(jax.random.key_impl(key)), like)
            return jax.random.wrap_key_data(jnp.asarray(x), impl=impl[0])
        if record["weak_type"]:
            weak = jnp.full(x.shape, np.zeros((), x.dtype).item())  # A Python number's type is weak,
            return weak.at[...].set(x) if weak.dtype == x.dtype else x  # and .at keeps it.
        return x

    sharding = sharding_of(like)
    if sharding is None or sharding.is_fully_addressable:
        return jax.device_put(made(x), sharding)
    return jax.jit(made, out_shardings=sharding)(x)
