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

A run of many processes (``jax.distributed.initialize``) shares the folder, and all of its processes make
:class:`Checkpoints` and call ``save``, ``restore``, ``wait`` and ``close`` together, with the same
arguments. What one of them cannot do fails in all. The next run may have another mesh and another number
of processes: each reads the parts that its devices hold, and no other. If a process dies, its last
checkpoint stays whole, and the others end with an error: at their next collective, where the backend sees
that the connection is gone, or when ``jax.distributed`` misses its heartbeat
(``heartbeat_timeout_seconds``, 100 by default). What is written in 20 minutes counts as failed, no later.
"""

import errno
import os
import pathlib
import re
import shutil
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from radam_optax._checks import flag, transformation, warn, whole_number
from radam_optax._checksum import checksum_of, data_of
from radam_optax._compress import Encoded
from radam_optax._manifest import Trees, crc32_of, leaves_of, manifest_of, refuse_others
from radam_optax._processes import UnusableError, gathered, of_the_first, together
from radam_optax._tree import fits, sharding_of

try:
    import orbax.checkpoint as ocp
except ModuleNotFoundError as error:
    message = "radam_optax.checkpoint needs Orbax: pip install 'radam-optax[checkpoint]'"
    raise ModuleNotFoundError(message, name=error.name) from error

# Errors that say nothing about the checkpoint: it may be read later.
_PASSING = {errno.EACCES, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EPERM, errno.ESTALE, errno.ETIMEDOUT}
_TRASH = "deleted"  # What Orbax discards is renamed into it first: nothing half deleted is ever listed.


class Restored(NamedTuple):
    """What :meth:`Checkpoints.restore` read, in the structures and shardings of its templates."""

    step: int
    params: Any
    opt_state: Any
    extra: Any


class Checkpoints:
    """The checkpoints of one run, in one folder; a context manager.

    ::

        with Checkpoints("run", optimizer) as checkpoints:
            checkpoints.save(500, params, opt_state, {"key": key})
            step, params, opt_state, extra = checkpoints.restore(params, {"key": key})

    Args:
      folder: where they are, in a file system; made if it is missing.
      optimizer: the transformation whose state it is, of this package or not.
      keep: how many checkpoints stay, the newest; >= 1.
    """

    def __init__(
        self, folder: str | os.PathLike[str], optimizer: optax.GradientTransformation, *, keep: int = 3
    ):
        keep = int(whole_number("keep", keep))
        if keep < 1:
            raise ValueError(f"`keep` must be at least 1; got {keep}.")
        self._optimizer = transformation("optimizer", optimizer)
        self._folder = pathlib.Path(os.path.abspath(folder))
        options = ocp.CheckpointManagerOptions(
            preservation_policy=ocp.checkpoint_managers.LatestN(keep),
            todelete_subdir=_TRASH,
            enable_async_checkpointing=False,
        )
        self._manager = self._listed(lambda: ocp.CheckpointManager(self._folder, options=options))
        self._unusable: set[int] = set()

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of Orbax's threads; there is nothing left to write."""
        self._manager.close()

    def steps(self) -> list[int]:
        """The steps of the checkpoints on disk, ascending."""
        self._listed(self._manager.reload)
        return sorted(self._manager.all_steps())

    def _listed(self, read: Any) -> Any:
        try:
            return read()
        except ValueError as error:
            raise ValueError(
                f"The checkpoints in '{self._folder}' cannot be listed: {_line(error)}."
            ) from error

    def save(self, step: int, params: Any, opt_state: Any, extra: Any = None) -> None:
        """Writes a checkpoint; on return it is whole on disk, and all but the newest ``keep`` are gone.

        Args:
          step: the number of updates so far, greater than that of any checkpoint in the folder.
          params: tree of arrays.
          opt_state: the optimizer's state for them.
          extra: what else the run depends on: a tree of arrays, random keys and numbers.

        Raises:
          TypeError: ``step`` is not a whole number.
          ValueError: ``step`` is not greater, or ``opt_state`` is not a state of the optimizer.
          OSError: it could not be written, because the disk is full, say; the older ones are untouched.
        """
        step = int(whole_number("step", step))
        trees = Trees(params, opt_state, extra)
        manifest = manifest_of(self._optimizer, trees)
        fresh = trees._replace(opt_state=jax.eval_shape(self._optimizer.init, params))
        advice = "Save what its `init` makes of `params` and its `update` returns."
        refuse_others("`opt_state` was made", manifest, manifest_of(self._optimizer, fresh), advice)
        self._sweep()
        for unusable in self._unusable.intersection(self.steps()):
            self._manager.delete(unusable)
        self._unusable.clear()
        if step <= max(self.steps(), default=-1):
            raise ValueError(
                f"{self._at(step)} cannot be saved beside those of steps {self.steps()}: steps must grow. "
                "Save into another folder, or remove the later ones."
            )
        leaves = leaves_of(trees)
        for path, total in jax.device_get({path: checksum_of(leaf) for path, leaf in leaves.items()}).items():
            manifest["leaves"][path]["checksum"] = int(total)
        arrays = {path: data_of(leaf) for path, leaf in leaves.items() if np.size(leaf)}  # As Orbax asks for.
        items = ocp.args.Composite(
            arrays=ocp.args.PyTreeSave(arrays),
            manifest=ocp.args.JsonSave({"content": manifest, "crc32": crc32_of(manifest)}),
        )
        try:
            self._manager.save(step, args=items, force=True)
        except Exception as error:
            raise OSError(f"{self._at(step)} could not be written: {_line(error)}.") from error
        finally:
            self._sweep()

    def restore(self, params: Any, extra: Any = None, *, step: int | None = None) -> Restored | None:
        """Reads the newest usable checkpoint, or that of ``step``; None where the folder holds none.

        Args:
          params: template of the parameters, arrays or :class:`jax.ShapeDtypeStruct`: structure, shapes,
            dtypes, shardings. What the optimizer keeps of a parameter is sharded like it.
          extra: template of ``extra``; None leaves it out.
          step: insist on this checkpoint.

        Raises:
          ValueError: the checkpoint is of another optimizer or of other parameters (never passed over
            for an older one); or it is unusable, torn or corrupted, and so are all the others.

        Warns:
          UserWarning: a newer checkpoint is unusable. The next :meth:`save` removes it.
        """
        steps = self.steps()
        if step is not None and step not in steps:
            raise ValueError(f"{self._at(step)} does not exist; there are those of steps {steps}.")
        template = Trees(params, _sharded_like(params, self._optimizer.init), extra)
        causes = {}
        for candidate in reversed(steps) if step is None else [step]:
            try:
                restored = self._read(candidate, template)
            except UnusableError as error:
                causes[candidate] = f"{self._at(candidate)} is unusable: {error}."
                continue
            for cause in causes.values():
                warn(cause)
            self._unusable |= causes.keys()
            return restored
        if causes:
            raise ValueError("\n".join(causes.values()))
        return None

    def _read(self, step: int, template: Trees) -> Restored:
        item = self._load(step, "manifest", ocp.args.JsonRestore())
        manifest = item.get("content")
        if not manifest or crc32_of(manifest) != item.get("crc32"):
            raise UnusableError("its manifest is not what was written")
        records = manifest["leaves"]
        if template.extra is None:
            manifest["leaves"] = {path: r for path, r in records.items() if not path.startswith("extra")}
        advice = "Restore with what wrote it, or start in another folder."
        ours = manifest_of(self._optimizer, template)
        refuse_others(f"{self._at(step)} was written", manifest, ours, advice)
        numpy = ocp.RestoreArgs(restore_type=np.ndarray)
        as_numpy = {path: numpy for path, record in records.items() if 0 not in record["shape"]}
        arrays = self._load(step, "arrays", ocp.args.PyTreeRestore(restore_args=as_numpy))
        leaves = {
            p: _placed(arrays.pop(p, None), records[p], like) for p, like in leaves_of(template).items()
        }
        for path, total in jax.device_get({p: checksum_of(leaf) for p, leaf in leaves.items()}).items():
            if total != records[path]["checksum"]:
                raise UnusableError(f"{path} does not have its checksum")
        return Restored(step, *jax.tree.structure(template).unflatten(leaves.values()))

    def _load(self, step: int, item: str, args: Any) -> dict[str, Any]:
        try:
            return dict(self._manager.restore(step, args=ocp.args.Composite(**{item: args}))[item])
        except MemoryError:
            raise
        except Exception as error:  # Of whatever kind: what Orbax cannot read is of no use.
            if isinstance(error, OSError) and error.errno in _PASSING:
                raise
            raise UnusableError(_line(error)) from error

    def _at(self, step: int) -> str:
        return f"The checkpoint of step {step} in '{self._folder}'"

    def _sweep(self) -> None:
        """Removes what killed or failed saves have left, and what Orbax has discarded."""
        for path in (self._folder / _TRASH, *self._folder.glob(f"*{ocp.utils.TMP_DIR_SUFFIX}*")):
            shutil.rmtree(path, ignore_errors=True)


def _line(error: Exception) -> str:
    """An error in one line; tensorstore tells at length what it was about to do, last why it could not."""
    text = " ".join(f"{type(error).__name__}: {error}".rstrip(".").split())
    code = re.search(r"os_error_code='(\d+)'", text)
    text = text if len(text) < 300 else f"{text[:140]} [...] {text[-150:]}"
    return f"{os.strerror(int(code[1]))}: {text}" if code else text


def _sharded_like(params: Any, init: Any) -> Any:
    """What ``init`` would make; a leaf takes the sharding of the parameter whose path its own ends in."""
    shardings = {
        (path, np.shape(p)): sharding_of(p) for path, p in jax.tree_util.tree_leaves_with_path(params)
    }

    def like(path, leaf):
        if isinstance(leaf, Encoded):
            sharding = like(path, jax.eval_shape(Encoded.decode, leaf)).sharding
            return jax.tree.map(
                lambda x: placed(x, sharding if sharding and fits(sharding, x.shape) else None), leaf
            )
        ends = ((path[start:], leaf.shape) for start in range(len(path) + 1))
        return placed(leaf, next((shardings[end] for end in ends if end in shardings), None))

    def placed(x, sharding):
        return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding)

    state = jax.eval_shape(init, params)
    return jax.tree_util.tree_map_with_path(like, state, is_leaf=lambda x: isinstance(x, Encoded))


def _placed(data: np.ndarray | None, record: dict[str, Any], like: Any) -> Any:
    """What Orbax read (None: an array without elements), of the kind and in the place of ``like``."""
    x: Any = np.empty(record["shape"], record["dtype"]) if data is None else data
    if isinstance(like, np.ndarray):
        return x
    if isinstance(like, np.generic | bool | int | float | complex):
        return type(like)(x.item())
    if jax.dtypes.canonicalize_dtype(x.dtype) != x.dtype:
        raise ValueError(f"The checkpoint holds arrays of {x.dtype}: switch JAX's x64 mode on.")
    if jnp.issubdtype(like.dtype, jax.dtypes.prng_key):
        impl = []  # jax.random.key_impl takes no ShapeDtypeStruct.
        jax.eval_shape(lambda key: impl.append(jax.random.key_impl(key)), like)
        x = jax.random.wrap_key_data(jnp.asarray(x), impl=impl[0])
    elif record["weak_type"]:
        weak = jnp.full(x.shape, x.dtype.type(0).item())  # A Python number's type is weak, and .at keeps it.
        x = weak.at[...].set(x) if weak.dtype == x.dtype else x
    return jax.device_put(x, sharding_of(like))
