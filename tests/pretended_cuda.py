"""A CUDA device that is not there: tensors that say they lie on it, and have their values in the memory of the CPU.

It refuses what a GPU refuses: tensors of two devices in one operation, ``numpy()``, and, where deterministic
algorithms are asked for, operations that have none. It notes what would wait for a GPU. So a test finds most mistakes
of place on any machine. It knows nothing of rounding, autocast, kernels, streams and memory.
"""

import contextlib
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

CUDA = torch.device("cuda:0")
BETWEEN_DEVICES = {"copy_", "_to_copy", "_foreach_copy_"}
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_"}  # which takes places from the CPU, too
WAITING = {"_local_scalar_dense", "equal", "is_nonzero", "masked_select", "nonzero", "_unique2", "unique_dim", "unique"}
NOT_DETERMINISTIC = {  # by the documentation of torch.use_deterministic_algorithms
    "_adaptive_avg_pool2d_backward",
    "_ctc_loss_backward",
    "adaptive_max_pool2d_backward",
    "grid_sampler_2d_backward",
    "histc",
    "nll_loss2d_forward",
    "put_",
    "reflection_pad2d_backward",
    "upsample_bicubic2d_backward",
    "upsample_bilinear2d_backward",
}


class OnCUDA(Tensor):
    """A tensor on the device.

    Args:
        value: its values, on the CPU.
    """

    device = property(lambda self: CUDA)  # type: ignore[assignment]
    is_cuda = property(lambda self: True)  # type: ignore[assignment]
    is_cpu = property(lambda self: False)  # type: ignore[assignment]
    is_meta = property(lambda self: False)  # type: ignore[assignment]
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, value: Tensor) -> "OnCUDA":
        with torch._C._DisableTorchDispatch():  # to torch's own code it is on the meta device, which has no driver
            shape = torch.empty_strided(value.size(), value.stride(), dtype=value.dtype, device="meta")
            return Tensor._make_subclass(cls, shape, False, device_for_backend_keys=CUDA)

    def __init__(self, value: Tensor) -> None:
        self.value = value

    def __repr__(self) -> str:  # type: ignore[override]
        return f"OnCUDA({self.value!r})"

    def get_device(self) -> int:
        return 0

    def numpy(self, *, force: bool = False) -> Any:
        if not force:
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        return self.cpu().numpy()

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.value.__reduce_ex__(protocol)  # what a file gives back that is read to the CPU

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, kwargs or {})


class Device(TorchDispatchMode):
    """Runs everything, also what makes tensors."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.is_inference_mode_enabled() and func._can_decompose():  # otherwise it comes here in its parts
            with self:
                return func.decompose(*args, **(kwargs or {}))
        return run(func, args, kwargs or {})


class Waits(TorchDispatchMode):
    """Notes what would wait for a GPU, and from where it is asked for.

    Args:
        waits: tells it from an operation's name and what it is given.
    """

    def __init__(self, waits: Callable[[str, Any, Any], bool]) -> None:
        super().__init__()
        self.waits = waits
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if self.waits(name, args, kwargs or {}):
            frames = [f"{Path(each.filename).name}:{each.lineno}" for each in traceback.extract_stack(limit=12)]
            self.found.append(f"{name} at {' < '.join(frames[-2::-1])}")
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def waits_of_pretended_cuda() -> Iterator[list[str]]:
    """Yield what would wait for the device, as far as this has come."""
    with Waits(waits) as mode:
        yield mode.found


def is_cuda(device: Any) -> bool:
    return torch.device(device).type in ("cuda", "meta")  # torch's own code asks for what it takes a tensor to be on


def value_of(each: Any) -> Any:
    return each.value if isinstance(each, OnCUDA) else each


def tensors_in(given: Any) -> list[Tensor]:
    """All tensors in lists of lists; torch's own function for that takes longer than most operations here."""
    if isinstance(given, Tensor):
        return [given]
    return [each for part in given for each in tensors_in(part)] if isinstance(given, list | tuple) else []


def mapped(function: Callable[[Any], Any], given: Any) -> Any:
    if isinstance(given, list | tuple):
        return type(given)([mapped(function, each) for each in given])
    return function(given)


def waits(name: str, args: Any, kwargs: Any) -> bool:
    """Whether a GPU would be waited for: what comes from it does, and what goes to it if nobody says non_blocking."""
    on_cuda = [isinstance(each, OnCUDA) for each in tensors_in([args, [*kwargs.values()]])]
    if name == "_to_copy":
        moves = kwargs.get("device") is not None and is_cuda(kwargs["device"]) != on_cuda[0]
        return moves and (on_cuda[0] or not kwargs.get("non_blocking"))
    if name == "copy_":
        not_blocking = kwargs.get("non_blocking") or args[2:3] == (True,)
        return on_cuda[0] != on_cuda[1] and (on_cuda[1] or not not_blocking)
    return any(on_cuda) and reads_values(name, args)


def reads_values(name: str, args: Any) -> bool:
    """Whether an operation reads values before it knows what it makes: an item, or places that booleans name."""
    by_booleans = name in INDEXING and any(
        each is not None and each.dtype in (torch.bool, torch.uint8) for each in args[1]
    )
    return name in WAITING or by_booleans


def run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Compute on the CPU, and say of the result where it would be."""
    name, tensors = func.overloadpacket.__name__, tensors_in([args, [*kwargs.values()]])
    to_cuda = any(isinstance(each, OnCUDA) for each in tensors)
    if to_cuda:
        check(name, args, tensors)
    if name in INDEXING:
        to_cuda = isinstance(args[0], OnCUDA)
    if kwargs.get("device") is not None:
        to_cuda = is_cuda(kwargs["device"])
        kwargs = {**kwargs, "device": torch.device("cpu")}
    if "pin_memory" in kwargs:
        kwargs = {**kwargs, "pin_memory": False}
    plain_args, plain_kwargs = mapped(value_of, args), {key: mapped(value_of, each) for key, each in kwargs.items()}
    made = func(*plain_args, **plain_kwargs)
    given = {id(value_of(each)): each for each in tensors}  # what is changed in place stays the same tensor

    def placed(each: Any) -> Any:
        if not isinstance(each, Tensor):
            return each
        return given[id(each)] if id(each) in given else OnCUDA(each) if to_cuda else each

    return mapped(placed, made)


def check(name: str, args: Any, tensors: list[Tensor]) -> None:
    """Refuse what CUDA refuses.

    Raises:
        RuntimeError: there is a tensor on the CPU, but for numbers; or no deterministic algorithm, where that counts.
    """
    if name in NOT_DETERMINISTIC and torch.are_deterministic_algorithms_enabled():
        raise RuntimeError(f"{name} does not have a deterministic implementation on CUDA")
    if name in BETWEEN_DEVICES or (name in INDEXING and isinstance(args[0], OnCUDA)):
        return
    if any(each.dim() and not isinstance(each, OnCUDA) for each in tensors):
        raise RuntimeError(f"{name}: expected all tensors to be on the same device, but found cuda:0 and cpu")


@contextlib.contextmanager
def pretended_cuda() -> Iterator[None]:
    """Let ``device="cuda"`` work in this thread."""
    torch._C._ensureCUDADeviceGuardSet()
    free = 2**33
    instead: dict[str, Any] = {
        "_lazy_init": lambda: None,
        "manual_seed": lambda seed: None,  # random numbers come from the CPU's generator
        "get_rng_state": lambda device=None: torch.get_rng_state(),
        "set_rng_state": lambda state, device=None: torch.set_rng_state(state),
        "is_bf16_supported": lambda *_: True,
        "mem_get_info": lambda device=None: (free, free),
        "memory_allocated": lambda device=None: 0,
        "memory_reserved": lambda device=None: 0,
    }
    only_lifted = torch._C._only_lift_cpu_tensors()
    with pytest.MonkeyPatch.context() as patch, Device():
        for name, function in instead.items():
            patch.setattr(torch.cuda, name, function)
        patch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
        torch.__future__.set_swap_module_params_on_conversion(True)  # module.to makes OnCUDA of its parameters
        torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(numbers, device="cuda") is made here, and then copied
        try:
            yield
        finally:
            torch._C._set_only_lift_cpu_tensors(only_lifted)
            torch.__future__.set_swap_module_params_on_conversion(False)
