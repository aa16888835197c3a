"""A PyTorch module as a workload."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hwexplore.errors import InputError
from hwexplore.workloads.layers import fold
from hwexplore.workloads.onnx.tensors import Node, Tensor, checked_shape
from hwexplore.workloads.onnx.walk import Walk
from hwexplore.workloads.torch.aten import SHAPED_LIKE, as_onnx
from hwexplore.workloads.workload import Workload

__all__ = ["from_torch"]


def from_torch(module: Any, example_inputs: tuple[Any, ...], name: str | None = None) -> Workload:
    """The workload of one inference of `module`, a torch.nn.Module, on inputs shaped like `example_inputs`.

    Each operator of the graph that torch.export gives (docs.pytorch.org/docs/stable/export.html) counts as the ONNX
    operator of the same meaning, so the table is that of the ONNX import: what depends on parameters, buffers and
    shapes alone has run before and costs nothing, nor do views that leave the order of elements; a transposition is a
    movement. Operators that nothing stands for are `unmodelled`. Names are the module's path and the ONNX type.
    Tensors may be on the device "meta", which takes no memory.

    `name` is by default that of the module's class; `batch` is the first size of the first tensor. InputError without
    PyTorch, for a module in training mode, and for one that cannot be exported.
    """
    source = name or type(module).__name__
    program = _exported(module, example_inputs, source)
    walk = Export(source=source, model=program)
    inputs = walk.program()
    if not walk.rows and not walk.unmodelled:
        raise InputError(f"{source} computes nothing; expected a network.")
    parameters = sum(parameter.numel() for parameter in module.parameters())
    return Workload(
        name=source,
        phase="inference",
        batch=next((tensor.dims[0] for tensor in inputs if tensor.shape), 1),
        context=1,
        operators=tuple(operator for operator, _ in fold((row.operator, None) for row in walk.rows)),
        parameters=parameters,
        active_parameters=parameters,
        unmodelled=tuple(walk.unmodelled),
    )


def _exported(module: Any, example_inputs: tuple[Any, ...], source: str) -> Any:
    """The functional torch.export.ExportedProgram, its composite operators whole."""
    try:
        import torch
    except ImportError:
        raise InputError(f"{source} needs the package torch; install it with: pip install 'hwexplore[torch]'") from None
    if not isinstance(module, torch.nn.Module):
        raise InputError(f"module is {module!r:.80}; expected a torch.nn.Module.")
    if not isinstance(example_inputs, tuple):
        raise InputError(
            f"example_inputs is a {type(example_inputs).__name__}; expected a tuple of forward's arguments."
        )
    if any(part.training for part in module.modules()):
        raise InputError(f"{source} is in training mode; expected inference: call its eval() first.")
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        program = torch.export.export(module, example_inputs, strict=False)
        return program.run_decompositions({torch.ops.aten.baddbmm.default: _baddbmm})
    except Exception as error:  # tracing runs the module's own code
        reason = " ".join(str(error).split())
        raise InputError(f"{source} cannot be exported: {reason:.200}") from error
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def _baddbmm(added: Any, left: Any, right: Any, **_: Any) -> Any:
    return added + left.bmm(right)


class Export(Walk):
    """Walks an ExportedProgram instead of a ModelProto."""

    def program(self) -> list[Tensor]:
        """Gather what the program consists of; its input tensors."""
        constant, inputs = _constants(self.model), []
        values: dict[Any, Any] = {}
        for call in self.model.graph.nodes:
            results = _results(call)
            if call.op == "placeholder" and results:
                values[call] = replace(results[0], constant=call.name in constant)
                inputs += [] if call.name in constant else [values[call]]
            elif call.op == "call_function" and getattr(call.target, "__name__", "") == "getitem":
                values[call] = values.get(call.args[0], {}).get(call.args[1])
            elif call.op == "call_function" and results:
                outputs = dict(zip(results, self._call(call, values, tuple(results.values())), strict=True))
                values[call] = outputs if isinstance(call.meta.get("val"), list | tuple) else outputs.get(0)
        return inputs

    def _call(self, call: Any, values: Mapping[Any, Any], outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        from torch.fx.node import map_arg

        arguments = _by_name(call.target, *map_arg((call.args, call.kwargs), values.get))
        read = tuple(_tensors(arguments))
        node = Node(name=call.name, op_type=str(call.target), inputs=read, outputs=outputs, attributes=arguments)
        if _is_creation(call.target, read):
            return tuple(replace(output, constant=True) for output in outputs)
        if all(tensor.shape is not None for tensor in (*read, *outputs)):
            node = as_onnx(node)
        path = next(reversed(call.meta.get("nn_module_stack", {"": ("",)}).values()))[0].partition("@")[0]
        given = self.node(replace(node, name=f"{path}.{node.op_type}".lstrip(".")), qonnx=False)
        return tuple(replace(output, constant=like.constant) for output, like in zip(outputs, given, strict=True))


def _constants(program: Any) -> set[str]:
    """Names of parameters, buffers that keep their values, and other tensors that are no inputs."""
    signature = program.graph_signature
    changing = set(signature.buffers_to_mutate.values())
    return {
        spec.arg.name
        for spec in signature.input_specs
        if spec.kind.name != "USER_INPUT" and spec.target not in changing
    }


def _results(call: Any) -> dict[int, Tensor]:
    """The tensors that an FX node gives, by their place in its result."""
    from torch import Tensor as TorchTensor

    value = call.meta.get("val")
    values = value if isinstance(value, list | tuple) else [value]
    return {
        place: Tensor(
            name=f"{call.name}.{place}",
            shape=_shape(call.name, part.shape),
            type=str(part.dtype).removeprefix("torch.").upper(),
        )
        for place, part in enumerate(values)
        if isinstance(part, TorchTensor)
    }


def _shape(name: str, sizes: Any) -> tuple[int, ...] | None:
    """`sizes`; None if one of them depends on data."""
    return checked_shape(name, sizes) if all(isinstance(size, int) for size in sizes) else None


def _is_creation(target: Any, read: tuple[Tensor, ...]) -> bool:
    """Whether a call gives the same in every run: it reads no tensor, or only its shape, and draws no numbers."""
    from torch import Tag

    tags = getattr(target, "tags", None)
    if tags is None or Tag.nondeterministic_seeded in tags:
        return False
    return not read or str(target).removeprefix("aten.").partition(".")[0] in SHAPED_LIKE


def _by_name(target: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call by the names in the operator's schema, defaults included."""
    if not hasattr(target, "_schema"):
        return {**{str(place): value for place, value in enumerate(args)}, **kwargs}
    expected = target._schema.arguments
    defaults = {argument.name: argument.default_value for argument in expected}
    return {**defaults, **dict(zip(defaults, args, strict=False)), **kwargs}


def _tensors(arguments: Mapping[str, Any]) -> Iterator[Tensor]:
    for value in arguments.values():
        for part in value if isinstance(value, list | tuple) else [value]:
            if isinstance(part, Tensor):
                yield part
