"""The checkpoints of one run in one folder: saved whole, read where they are usable."""

import errno
import os
import pathlib
import re
import secrets
import shutil
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding, PartitionSpec

from radam_optax._core.domains import count_of_updates, flag, transformation
from radam_optax._core.messages import warn
from radam_optax._core.owners import map_with_params
from radam_optax._core.placement import fits, sharding_of
from radam_optax.checkpoint._checksum import checksum_of, data_of
from radam_optax.checkpoint._manifest import Trees, crc32_of, leaves_of, manifest_of, refuse_others
from radam_optax.checkpoint._processes import UnusableError, gathered, together

try:
    import orbax.checkpoint as ocp
except ModuleNotFoundError as error:
    message = "radam_optax.checkpoint needs Orbax: pip install 'radam-optax[checkpoint]'"
    raise ModuleNotFoundError(message, name=error.name) from error

# Errors that say nothing about the checkpoint: it may be read later.
_PASSING = {errno.EACCES, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EPERM, errno.ESTALE, errno.ETIMEDOUT}
_PATIENCE = 20 * 60  # Seconds for a write, and for the other processes to end theirs.
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
      folder: where they are, in a file system that all processes of the run share; made if it is missing.
      optimizer: the transformation whose state it is, of this package or not.
      keep: how many checkpoints stay, the newest; >= 1.
      asynchronous: whether :meth:`save` returns once the arrays are copied to the host, and writing goes
        on behind the training. What then goes wrong is an OSError of the next method that waits for it:
        ``wait``, ``save``, ``restore`` or ``close``.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        optimizer: optax.GradientTransformation,
        *,
        keep: int = 3,
        asynchronous: bool = False,
    ):
        keep = int(count_of_updates("keep", keep))
        if keep < 1:
            raise ValueError(f"`keep` must be at least 1; got {keep}.")
        self._optimizer = transformation("optimizer", optimizer)
        self._asynchronous = flag("asynchronous", asynchronous)
        self._folder = pathlib.Path(os.path.abspath(folder))
        self._keep = keep
        self._unusable: set[int] = set()
        self._saving: tuple[int, ocp.CheckpointManager] | None = None

        def made() -> None:
            if jax.process_index() == 0:
                self._folder.mkdir(parents=True, exist_ok=True)

        together(made)

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Waits as :meth:`wait` does."""
        self.wait()

    def steps(self) -> list[int]:
        """The steps of the checkpoints on disk, ascending."""
        names = (path.name for path in self._folder.glob("[0-9]*"))
        return sorted(int(name) for name in names if name.isdecimal() and name == str(int(name)))

    def save(self, step: int, params: Any, opt_state: Any, extra: Any = None) -> None:
        """Writes a checkpoint; once it is whole on disk, all but the newest ``keep`` are gone.

        Args:
          step: the number of updates so far, greater than that of any checkpoint in the folder.
          params: tree of arrays.
          opt_state: the optimizer's state for them.
          extra: what else the run depends on: a tree of arrays, random keys and numbers.

        Raises:
          TypeError: ``step`` is not a whole number.
          ValueError: ``step`` is not greater, or ``opt_state`` is not a state of the optimizer, or the
            processes of the run differ in what they save or do not share the folder.
          OSError: it could not be written, because the disk is full, say; the older ones are untouched.
            Or the one before it could not, and this one was not tried.
        """
        trees = Trees(params, opt_state, extra)
        step, manifest = together(lambda: self._prepared(step, trees))
        leaves = leaves_of(trees)
        mark = self._agreed(step, manifest, leaves)
        manager = self._opened(mark)
        arrays = {path: data_of(leaf) for path, leaf in leaves.items() if np.size(leaf)}  # As Orbax asks for.
        items = ocp.args.Composite(
            arrays=ocp.args.PyTreeSave(arrays),
            manifest=ocp.args.JsonSave({"content": manifest, "crc32": crc32_of(manifest)}),
        )
        self._saving = step, manager
        try:
            manager.save(step, args=items, force=True)
        except Exception as error:
            self._end(error)
        if not self._asynchronous:
            self.wait()

    def _prepared(self, step: int, trees: Trees) -> tuple[int, dict[str, Any]]:
        """The step and the manifest, without checksums, of what may be saved."""
        self.wait()
        step = int(count_of_updates("step", step))
        manifest = manifest_of(self._optimizer, trees)
        fresh = trees._replace(opt_state=jax.eval_shape(self._optimizer.init, trees.params))
        advice = "Save what its `init` makes of `params` and its `update` returns."
        refuse_others("`opt_state` was made", manifest, manifest_of(self._optimizer, fresh), advice)
        steps = [other for other in self.steps() if other not in self._unusable]
        if step <= max(steps, default=-1):
            raise ValueError(
                f"{self._at(step)} cannot be saved beside those of steps {steps}: steps must grow. "
                "Save into another folder, or remove the later ones."
            )
        return step, manifest

    def _agreed(self, step: int, manifest: dict[str, Any], leaves: dict[str, Any]) -> str:
        """A name that nobody used before, once all save the same; adds the checksums to the manifest."""
        mine = step, crc32_of(manifest), secrets.randbits(32)
        steps, contents, marks = gathered(np.asarray(mine, np.uint32)).T
        if np.ptp(steps):
            raise ValueError(f"The processes cannot save together: they are at steps {steps.tolist()}.")
        if np.ptp(contents):
            raise ValueError(f"{self._at(step)} cannot be saved: the processes have different trees.")
        totals = [checksum_of(leaf) for leaf in leaves.values()]
        differ = np.ptp(gathered(np.asarray(totals, np.uint32)), axis=0)
        for path, total, differs in zip(leaves, totals, differ, strict=True):
            if differs:
                raise ValueError(f"{self._at(step)} cannot be saved: the processes have different {path}.")
            manifest["leaves"][path]["checksum"] = total
        return f"mark-{marks[0]}"

    def _opened(self, mark: str) -> ocp.CheckpointManager:
        """For one save: no other, were it into another folder, waits at its barriers."""
        trash = self._folder / _TRASH

        def cleared() -> None:
            if jax.process_index() == 0:
                self._sweep()
                (trash / mark).mkdir(parents=True)
                for unusable in self._unusable.intersection(self.steps()):
                    (self._folder / str(unusable)).rename(trash / str(unusable))

        def seen() -> None:
            if not (trash / mark).exists():
                raise ValueError(
                    f"'{self._folder}' is not one folder: process {jax.process_index()} does not see what "
                    "process 0 writes. All processes must share it."
                )

        together(cleared)
        self._unusable.clear()
        together(seen)
        options = ocp.CheckpointManagerOptions(
            preservation_policy=ocp.checkpoint_managers.LatestN(self._keep),
            todelete_subdir=_TRASH,
            async_options=ocp.AsyncOptions(timeout_secs=_PATIENCE),
            # Named, they meet at barriers that have a time-out.
            multiprocessing_options=ocp.options.MultiprocessingOptions(
                barrier_sync_key_prefix=mark, active_processes=set(range(jax.process_count()))
            ),
            lightweight_initialize=True,
            create=False,
            save_root_metadata=False,
        )
        return together(lambda: ocp.CheckpointManager(self._folder, options=options))

    def wait(self) -> None:
        """Returns when all that was saved is on disk. Raises OSError as :meth:`save` does."""
        if self._saving is not None:
            self._end()

    def _end(self, cause: Exception | None = None) -> None:
        """Waits for what Orbax does behind the save, and removes what it has left."""
        assert self._saving is not None
        step, manager = self._saving
        for finish in (manager.wait_until_finished, manager.close):
            try:
                finish()
            except Exception as error:
                cause = cause or error
        self._saving = None
        if jax.process_index() == 0:
            self._sweep()
        if cause is not None:
            while isinstance(cause, jax.errors.JaxRuntimeError) and isinstance(cause.__context__, Exception):
                cause = cause.__context__  # Orbax waits for the others even after an error of its own.
            raise OSError(f"{self._at(step)} could not be written: {_line(cause)}.") from cause

    def restore(
        self, params: Any, extra: Any = None, *, step: int | None = None, opt_state: Any = None
    ) -> Restored | None:
        """Reads the newest usable checkpoint, or that of ``step``; None where the folder holds none.

        Args:
          params: template of the parameters, arrays or :class:`jax.ShapeDtypeStruct`: structure, shapes,
            dtypes, shardings. What the optimizer keeps of a parameter is sharded like it, the rest of its
            state replicated on the mesh of the parameters, if they have one.
          extra: template of ``extra``; None leaves it out.
          step: insist on this checkpoint.
          opt_state: template of the state, where it is sharded otherwise than the parameters are, as by
            :func:`radam_optax.sharding.shard_state`.

        Raises:
          ValueError: the checkpoint is of another optimizer or of other parameters (never passed over
            for an older one); or it is unusable, torn or corrupted, and so are all the others.
          OSError: a checkpoint could not be written before.

        Warns:
          UserWarning: a newer checkpoint is unusable, for one process at least. The next :meth:`save`
            removes it.
        """
        if opt_state is None:
            opt_state = _sharded_like(params, self._optimizer.init)
        template = Trees(params, opt_state, extra)

        def candidates() -> list[int]:
            self.wait()
            steps = self.steps()
            if step is not None and step not in steps:
                raise ValueError(f"{self._at(step)} does not exist; there are those of steps {steps}.")
            return steps if step is None else [step]

        left = together(candidates)
        causes = {}
        # What process 0 sees counts.
        while (candidate := int(gathered(np.asarray(max(left, default=-1), np.int32))[0])) >= 0:
            left = [older for older in left if older < candidate]
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
        records, arrays = together(lambda: self._parts(step, template))
        leaves = {
            p: _placed(arrays.pop(p, None), records[p], like) for p, like in leaves_of(template).items()
        }
        totals = {path: checksum_of(leaf) for path, leaf in leaves.items()}

        def checked() -> None:
            for path, total in totals.items():
                if total != records[path]["checksum"]:
                    raise UnusableError(f"{path} does not have its checksum")

        together(checked)
        return Restored(step, *jax.tree.structure(template).unflatten(leaves.values()))

    def _parts(self, step: int, template: Trees) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the manifest says of each leaf, and of their data what this process needs."""
        process = jax.process_index()
        if process and not (self._folder / str(step)).exists():
            raise ValueError(
                f"{self._at(step)} does not exist for process {process}, but for process 0. "
                "All processes must share the folder."
            )
        item = self._load(step, "manifest", ocp.JsonCheckpointHandler(), ocp.args.JsonRestore())
        manifest = item.get("content")
        if not manifest or crc32_of(manifest) != item.get("crc32"):
            raise UnusableError("its manifest is not what was written")
        records = manifest["leaves"]
        if template.extra is None:
            manifest["leaves"] = {path: r for path, r in records.items() if not path.startswith("extra")}
        advice = "Restore with what wrote it, or start in another folder."
        ours = manifest_of(self._optimizer, template)
        refuse_others(f"{self._at(step)} was written", manifest, ours, advice)
        likes = leaves_of(template).items()
        how = {path: _how(like, records[path]) for path, like in likes if 0 not in records[path]["shape"]}
        args = ocp.args.PyTreeRestore(dict.fromkeys(how, 0), restore_args=how, partial_restore=True)
        return records, self._load(step, "arrays", ocp.PyTreeCheckpointHandler(), args)

    def _load(self, step: int, item: str, handler: Any, args: Any) -> dict[str, Any]:
        alone = {jax.process_index()}  # Where one cannot read, it is `together` that they find out.
        options = ocp.options.MultiprocessingOptions(primary_host=min(alone), active_processes=alone)
        try:
            with ocp.Checkpointer(handler, multiprocessing_options=options) as reader:
                return dict(reader.restore(self._folder / str(step) / item, args=args))
        except (MemoryError, jax.errors.JaxRuntimeError):  # Of memory, of devices: not of what was read.
            raise
        except Exception as error:  # Of whatever kind: what Orbax cannot read is of no use.
            if (code := _errno(error)) in _PASSING:
                raise OSError(code, _line(error)) from error
            raise UnusableError(_line(error)) from error

    def _at(self, step: int) -> str:
        return f"The checkpoint of step {step} in '{self._folder}'"

    def _sweep(self) -> None:
        """Removes what killed or failed saves have left, and what Orbax has discarded."""
        for path in (self._folder / _TRASH, *self._folder.glob(f"*{ocp.utils.TMP_DIR_SUFFIX}*")):
            shutil.rmtree(path, ignore_errors=True)


def _errno(error: Exception) -> int | None:
    """What the system said; tensorstore's errors have it in their text."""
    code = re.search(r"os_error_code='(\d+)'", str(error))
    return int(code[1]) if code else getattr(error, "errno", None)


def _line(error: Exception) -> str:
    """An error in one line; tensorstore tells at length what it was about to do, last why it could not."""
    text = " ".join(f"{type(error).__name__}: {error}".rstrip(".").split())
    text = text if len(text) < 300 else f"{text[:140]} [...] {text[-150:]}"
    code = _errno(error)
    return text if code is None or isinstance(error, OSError) else f"{os.strerror(code)}: {text}"


def _sharded_like(params: Any, init: Any) -> Any:
    """What ``init`` would make; an array takes the sharding of its parameter."""
    shardings = map(sharding_of, jax.tree.leaves(params))
    mesh = next((sharding.mesh for sharding in shardings if isinstance(sharding, NamedSharding)), None)
    replicated = NamedSharding(mesh, PartitionSpec()) if mesh else None

    def placed(x, p):
        sharding = replicated if p is None else sharding_of(p)
        sharding = sharding if sharding and fits(sharding, x.shape) else replicated
        return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding)

    return map_with_params(placed, jax.eval_shape(init, params), params)


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


def _placed(data: Any, record: dict[str, Any], like: Any) -> Any:
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
