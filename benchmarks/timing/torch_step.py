"""One optimizer's step in PyTorch: for-loop, foreach, fused, or foreach through ``torch.compile``."""

import inspect
import logging
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from benchmarks.subjects.peers import RATE, Torch
from benchmarks.timing.rounds import Timer, timer

_FLAGS = {
    "for-loop": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
    "compiled": {},  # Takes foreach by itself, and with it a learning rate that is a tensor.
}


def device() -> torch.device:
    """Where PyTorch computes: on the GPU if it sees one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_form(optimizer: Torch, form: str) -> bool:
    """Whether PyTorch has written the optimizer in this form at all."""
    parameters = inspect.signature(getattr(torch.optim, optimizer.name)).parameters
    return set(_FLAGS[form]) <= set(parameters)


def compiled(step: Callable[[], Any], **options: Any) -> Callable[[], Any]:
    """``torch.compile`` of an optimizer's step, called once already, without PyTorch's warnings of itself."""
    logging.getLogger("torch").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch._dynamo.reset()
        step = torch.compile(step, **options)
        step()
    return step


class TorchStep:
    """As :class:`benchmarks.timing.jax_step.JaxStep`; ``gradients`` may be shared."""

    def __init__(self, optimizer: Torch, form: str, gradients: Sequence[torch.Tensor]):
        factory = getattr(torch.optim, optimizer.name)
        flags = dict(_FLAGS[form])
        on_gpu = gradients[0].is_cuda
        if on_gpu and "capturable" in inspect.signature(factory).parameters:
            flags["capturable"] = True  # Otherwise every step would wait for the device.
        params = [torch.nn.Parameter(g.clone()) for g in gradients]
        for param, gradient in zip(params, gradients, strict=True):
            param.grad = gradient
        compiles = form == "compiled"
        # A number would be compiled in.
        rate = torch.tensor(RATE, device=gradients[0].device) if compiles else RATE
        self._optimizer = factory(params, lr=rate, **optimizer.arguments, **flags)
        self._step = self._optimizer.step
        if compiles:
            self._step = compiled(self._step)
        else:
            self._step()  # PyTorch makes the state in the first step, and its bytes are asked for below.
        self._on_gpu = on_gpu
        state = [x for entry in self._optimizer.state.values() for x in entry.values() if torch.is_tensor(x)]
        self.bytes = sum(g.nbytes for g in gradients) + 2 * sum(x.nbytes for x in (*params, *state))
        self.accessed_bytes = self.temp_bytes = None

    def timer(self) -> Timer:
        return timer(self._call, self._wait)

    def _call(self) -> None:
        self._step()

    def _wait(self) -> None:
        if self._on_gpu:
            torch.cuda.synchronize()


def tensors_of(gradients: Sequence[np.ndarray]) -> list[torch.Tensor]:
    """Copies of arrays on PyTorch's device."""
    return [torch.tensor(g, device=device()) for g in gradients]
