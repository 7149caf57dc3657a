"""The checkpoints of one run in one folder: saved whole, read where they are usable."""

from __future__ import annotations

import os
import secrets
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jax.sharding import NamedSharding, PartitionSpec

from radam_optax._core.domains import count_of_updates, flag, transformation
from radam_optax._core.messages import kind_of, warn
from radam_optax._core.owners import map_with_params
from radam_optax._core.placement import fits, sharding_of
from radam_optax.checkpoint import _orbax
from radam_optax.checkpoint._checksum import checksum_of, data_of
from radam_optax.checkpoint._errors import UnusableError, line_of
from radam_optax.checkpoint._folder import folder_of
from radam_optax.checkpoint._manifest import (
    Trees,
    crc32_of,
    leaves_of,
    manifest_of,
    refuse_others,
    with_checksums,
)
from radam_optax.checkpoint._processes import gathered, together


class Restored(NamedTuple):
    """What :meth:`Checkpoints.restore` read, in the structures and shardings of its templates.

    Attributes:
      step: Number of updates that the checkpoint was saved after.
      params: Parameters in the structure of the template.
      opt_state: State of the optimizer for them.
      extra: What else was saved, a tree like the template; None where there was no template.
    """

    step: int
    params: Any
    opt_state: Any
    extra: Any


class Checkpoints:
    """The checkpoints of one run, in one folder; a context manager.

    A checkpoint holds the parameters, the optimizer's state, what else is given, the call that made the
    optimizer, and a checksum of each leaf. It is written under another name and committed by one rename: a
    save that is killed leaves nothing that could be taken for a checkpoint, and the older ones stay. What is
    restored is bitwise what was saved. Refused, with what differs, are the state of another optimizer, and
    other parameters; passed over, with a warning, is a checkpoint that is torn or corrupted.

    In a run of several processes all of them make this object and call its methods together, with the same
    arguments.

    Trees may be states of Flax NNX, ``nnx.state(model, nnx.Param)`` and the ``opt_state`` of an
    ``nnx.Optimizer``; what is restored is of the kind of its template, and goes back by ``nnx.update``.

    Args:
      folder: Where they are, in a file system that all processes of the run share; may begin with ``~`` or
        ``file:``. The first :meth:`save` makes it if it is missing. A bucket has to be mounted: ``gs://`` and
        ``s3://`` are refused, since they have no rename.
      optimizer: Transformation whose state it is, of this package or not.
      keep: Number of checkpoints that stay, the newest; a whole number >= 1. Default: 3.
      asynchronous: Whether :meth:`save` returns once the arrays are copied to the host, and writing goes on
        behind the training. What then goes wrong is an OSError of the next method that waits for it:
        ``wait``, ``save``, ``restore`` or ``close``. Default: False.

    Raises:
      TypeError: ``folder`` is no path, ``optimizer`` no transformation, ``keep`` no whole number, or
        ``asynchronous`` neither True nor False.
      ValueError: ``folder`` is in no file system of this machine, or ``keep`` is less than 1.
      NotADirectoryError: ``folder`` is a file.

    Example:
      >>> import tempfile
      >>> import jax.numpy as jnp
      >>> import radam_optax as rx
      >>> from radam_optax.checkpoint import Checkpoints
      >>> optimizer, params = rx.radamw(1e-3), {"kernel": jnp.ones(3)}
      >>> folder = tempfile.TemporaryDirectory()
      >>> with Checkpoints(folder.name, optimizer) as checkpoints:
      ...     checkpoints.save(500, params, optimizer.init(params), {"seed": 0})
      >>> with Checkpoints(folder.name, optimizer) as checkpoints:  # Later, in another process.
      ...     step, params, opt_state, extra = checkpoints.restore(params, {"seed": 0})
      >>> step, extra
      (500, {'seed': 0})
      >>> folder.cleanup()
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
        self._folder = together(lambda: folder_of("folder", folder))
        self._keep = keep
        self._unusable: set[int] = set()
        self._saving: tuple[int, Any] | None = None

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Waits until all that was saved is on disk; the end of a ``with`` does it too.

        Raises:
          OSError: A checkpoint could not be written.
        """
        self.wait()

    def steps(self) -> list[int]:
        """Lists the checkpoints on disk.

        Returns:
          Their steps, ascending; none where the folder is missing.
        """
        names = (path.name for path in self._folder.glob("[0-9]*"))
        return sorted(int(name) for name in names if name.isdecimal() and name == str(int(name)))

    def save(self, step: int, params: Any, opt_state: Any, extra: Any = None) -> None:
        """Writes a checkpoint; once it is whole on disk, all but the newest ``keep`` are gone.

        Args:
          step: Number of updates so far, a whole number, greater than that of any checkpoint in the folder.
          params: Parameters, a tree of arrays.
          opt_state: State of the optimizer for them, as its ``init`` or ``update`` returned it.
          extra: What else the run depends on: a tree of arrays, random keys and numbers. None: nothing.
            Default: None.

        Raises:
          TypeError: ``step`` is not a whole number.
          ValueError: ``step`` is not greater, or ``opt_state`` is not a state of the optimizer, or the
            processes of the run differ in what they save or do not share the folder.
          OSError: It could not be written, because the disk is full, say; the older ones are untouched.
            Or the one before it could not, and this one was not tried.
        """
        trees = Trees(params, opt_state, extra)
        step, manifest = together(lambda: self._prepared(step, trees))
        leaves = leaves_of(trees)
        mark = self._agreed(step, manifest)
        manifest = with_checksums(manifest, self._agreed_checksums(step, leaves))
        manager = self._opened(mark)
        arrays = {path: data_of(leaf) for path, leaf in leaves.items() if np.size(leaf)}  # As Orbax asks for.
        self._saving = step, manager
        try:
            _orbax.write(manager, step, arrays, manifest)
        except Exception as error:
            self._end(error)
        if not self._asynchronous:
            self.wait()

    def _prepared(self, step: int, trees: Trees) -> tuple[int, dict[str, Any]]:
        """The step and the manifest, without checksums, of what may be saved."""
        self.wait()
        step = int(count_of_updates("step", step))
        fresh = trees._replace(opt_state=jax.eval_shape(self._optimizer.init, trees.params))
        manifest, ours = (manifest_of(self._optimizer, each) for each in (trees, fresh))
        advice = (
            "Save what its `init` makes of `params` or `update` returns; of nnx.Optimizer, its `opt_state`."
        )
        if ours["links"] and not manifest["links"]:
            raise ValueError(
                f"`opt_state` must be a state of the optimizer; got {kind_of(trees.opt_state)}. The "
                f"order is `save(step, params, opt_state)`. {advice}"
            )
        # Whose the state is it does not say.
        refuse_others("`opt_state` was made", manifest | {"recipe": None}, ours, advice)
        steps = [other for other in self.steps() if other not in self._unusable]
        if step <= max(steps, default=-1):
            raise ValueError(
                f"{self._at(step)} cannot be saved beside those of steps {steps}: steps must grow. "
                "Save into another folder, or remove the later ones."
            )
        return step, manifest

    def _agreed(self, step: int, manifest: dict[str, Any]) -> str:
        """A name that no save had before, once all processes are at the same one."""
        mine = step, crc32_of(manifest), secrets.randbits(32)
        steps, contents, marks = gathered(np.asarray(mine, np.uint32)).T
        if np.ptp(steps):
            raise ValueError(f"The processes cannot save together: they are at steps {steps.tolist()}.")
        if np.ptp(contents):
            raise ValueError(f"{self._at(step)} cannot be saved: the processes have different trees.")
        return f"mark-{marks[0]}"

    def _agreed_checksums(self, step: int, leaves: dict[str, Any]) -> dict[str, int]:
        """By path, once all processes have the same ones."""
        totals = {path: checksum_of(leaf) for path, leaf in leaves.items()}
        differ = np.ptp(gathered(np.asarray([*totals.values()], np.uint32)), axis=0)
        for path, differs in zip(totals, differ, strict=True):
            if differs:
                raise ValueError(f"{self._at(step)} cannot be saved: the processes have different {path}.")
        return totals

    def _opened(self, mark: str) -> Any:
        """What writes, once all processes see a folder without what earlier saves have left."""
        trash = self._folder / _orbax.TRASH

        def cleared() -> None:
            if jax.process_index() == 0:
                _orbax.sweep(self._folder)
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
        return together(lambda: _orbax.opened(self._folder, self._keep, mark))

    def wait(self) -> None:
        """Returns when all that was saved is on disk.

        Raises:
          OSError: A checkpoint could not be written.
        """
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
            _orbax.sweep(self._folder)
        if cause is not None:
            while isinstance(cause, jax.errors.JaxRuntimeError) and isinstance(cause.__context__, Exception):
                cause = cause.__context__  # Orbax waits for the others even after an error of its own.
            raise OSError(f"{self._at(step)} could not be written: {line_of(cause)}.") from cause

    def restore(
        self, params: Any, extra: Any = None, *, step: int | None = None, opt_state: Any = None
    ) -> Restored | None:
        """Reads the newest usable checkpoint, or that of ``step``.

        Usable is one whose every leaf has its checksum. One that is not is passed over for an older one, in
        all processes; one of another optimizer or of other parameters never is. The learning rate, schedules
        and masks may differ from those of the run that saved.

        Args:
          params: Template of the parameters: a tree of arrays or of :class:`jax.ShapeDtypeStruct`, for their
            structure, shapes, dtypes and shardings. What the optimizer keeps of a parameter is sharded like
            it, the rest of its state replicated on the mesh of the parameters, if they have one.
          extra: Template of what else was saved. None leaves it out. Default: None.
          step: Step of the checkpoint to read, and of no other. None: the newest usable one. Default: None.
          opt_state: Template of the state, where it is elsewhere than the parameters are, as by
            :func:`radam_optax.sharding.shard_state` or :func:`radam_optax.sharding.offload_state`, or is in
            variables of Flax NNX. None: what ``init`` makes of ``params``. Default: None.

        Returns:
          What was read, in the structures and shardings of the templates; None where the folder holds no
          checkpoint.

        Raises:
          ValueError: The checkpoint is of another optimizer or of other parameters; or ``step`` does not
            exist; or the checkpoint is torn or corrupted, and so are all the others.
          OSError: A checkpoint could not be written before, or cannot be read this time.

        Warns:
          UserWarning: A newer checkpoint is unusable, for one process at least. The next :meth:`save`
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
            p: _orbax.placed(arrays.pop(p, None), records[p], like) for p, like in leaves_of(template).items()
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
        item = _orbax.read_manifest(self._folder / str(step))
        manifest = item.get("content")
        if not manifest or crc32_of(manifest) != item.get("crc32"):
            raise UnusableError("its manifest is not what was written")
        records = manifest["leaves"]
        if template.extra is None:
            manifest["leaves"] = {path: r for path, r in records.items() if not path.startswith("extra")}
        advice = (
            "Restore with what wrote it, or start in another folder. To go on with other arguments of the "
            "same function restore so, then use migrate.hand_over."
        )
        ours = manifest_of(self._optimizer, template)
        refuse_others(f"{self._at(step)} was written", manifest, ours, advice)
        return records, _orbax.read_arrays(self._folder / str(step), leaves_of(template), records)

    def _at(self, step: int) -> str:
        return f"The checkpoint of step {step} in '{self._folder}'"


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
