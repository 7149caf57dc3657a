"""What a command's options are can be said without what computes: stand-ins for packages slow to import."""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FunctionType
from typing import Any

SLOW = {
    *("PIL", "absl", "chex", "equinox", "flax", "jax", "jaxlib", "matplotlib", "ml_dtypes", "mlxtend"),
    *("mpmath", "optax", "orbax", "scipy", "sklearn", "tensorboardX", "tokenizers", "torch"),
}


class StandIn:
    """In the place of a module and of all that is in it: takes part in definitions, and computes nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and not name.startswith("__version"):
            raise AttributeError(name)
        setattr(self, name, StandIn())
        return self.__dict__[name]

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        # A decorator leaves what it decorates, a function with what JAX would let it be told.
        if len(arguments) != 1 or not isinstance(arguments[0], FunctionType | type):
            return StandIn()
        if isinstance(arguments[0], FunctionType):
            vars(arguments[0]).update(dict.fromkeys(("defjvp", "defjvps", "defvjp"), StandIn()))
        return arguments[0]

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return ()

    def __instancecheck__(self, instance: Any) -> bool:
        return False

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def _another(self, *_: Any) -> Any:
        return StandIn()

    __getitem__ = __or__ = __ror__ = __neg__ = _another
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _another
    __lt__ = __le__ = __gt__ = __ge__ = lambda self, other: True


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname.partition(".")[0] in SLOW:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: Any) -> Any:
        return StandIn()

    def exec_module(self, module: Any) -> None:
        pass


@contextmanager
def stand_ins(packages: Sequence[str]) -> Iterator[None]:
    """Imports in the block get stand-ins; what has been imported in it is forgotten at its end.

    Args:
      packages: whose modules are imported anew after the block.
    """
    finder, before = _Finder(), set(sys.modules)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in SLOW | {*packages}:
                module, (parent, _, child) = sys.modules.pop(name), name.rpartition(".")
                # `from parent import child` would find it there.
                if getattr(sys.modules.get(parent), child, None) is module:
                    delattr(sys.modules[parent], child)
