"""Extents from data: which names data fix, and what they come to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from einbatch.diagnostics import Diagnostic, EinbatchError, Span, deep_stack, diagnostic
from einbatch.elaborate.dependencies import in_order
from einbatch.elaborate.show_extent import not_an_extent, show
from einbatch.ir import (
    Constant,
    Elements,
    Expression,
    Extent,
    Program,
    Tensor,
    Value,
    evaluate_constant,
    walk,
)

Shape = tuple[int, ...]


def check_fixed(program: Program) -> Iterator[Diagnostic]:
    """Errors for indices and axes whose extent neither the file nor data can fix."""
    fixed = {
        extent.name
        for tensor in program.of_kind("input")
        for extent in tensor.extents
        if isinstance(extent, Extent)
    } | _declared_batch(program).keys()
    places = {index.name: index.span for index in program.indices}
    reported: set[str] = set()
    for index in program.indices:
        for name in _symbols(index.extent):
            if name not in fixed and name not in reported:
                reported.add(name)
                word = "batch" if index.name == program.batch else "index"
                yield diagnostic(
                    "E0302",
                    f"nothing fixes the extent of `{index.name}`",
                    (places.get(name, index.span), "neither a declaration nor data"),
                    help=f"declare it: `{word} {index.name} < 10`, or give an input an axis of it",
                )
    for tensor in program.tensors:
        for k, extent in enumerate(tensor.extents):
            loose = [n for n in _symbols(extent) if n not in fixed and n not in reported]
            if loose:
                reported.update(loose)
                yield diagnostic(
                    "E0302",
                    f"nothing fixes the extent of axis {k} of `{tensor.name}`",
                    (tensor.span, "neither a declaration nor data"),
                    help="set it over a declared index first, as in `T[k] = 0`",
                )


def check_batch(program: Program) -> Iterator[Diagnostic]:
    """Errors for params and states over the batch index: they outlast the minibatch."""
    if program.batch is None:
        return
    batch = program.index(program.batch)
    for tensor in (*program.of_kind("param"), *program.of_kind("state")):
        for axis, extent in zip(tensor.axes, tensor.extents, strict=True):
            if any(node == batch.extent for node in walk(extent)):
                yield diagnostic(
                    "E0308",
                    f"the {tensor.kind} `{tensor.name}` has a batch axis, `{axis}`",
                    (tensor.span, f"as large as the minibatch: |{axis}| is {show(extent)}"),
                    (batch.span, "the batch index"),
                    help=f"leave `{axis}` out: all examples share a {tensor.kind}",
                )


@deep_stack()
def bind_extents(program: Program, shapes: Mapping[str, Shape]) -> dict[str, int]:
    """The value of every index' and every named extent, from the shapes of bound tensors.

    `shapes` gives the shape of each bound input (and of params and states where
    they are given). A literal counts where its input has no shape here.
    Raises EinbatchError where shapes disagree, with each other or with the file.
    """
    work = _Binding(program)
    for tensor in program.tensors:
        shape = shapes.get(tensor.name)
        if shape is None and isinstance(tensor.initial, Elements) and tensor.kind == "input":
            shape = literal_shape(tensor.initial)
        if shape is not None:
            work.bind(tensor, shape)
    work.check()
    if work.errors:
        raise EinbatchError(work.errors)
    return work.values()


def literal_shape(elements: Elements) -> Shape:
    """The shape of checked elements."""
    first = elements.items[0]
    inner = literal_shape(first) if isinstance(first, Elements) else ()
    return (len(elements.items), *inner)


class _Binding:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.symbols: dict[str, tuple[int, Tensor, int]] = {}
        self.pending: list[tuple[Tensor, int, int]] = []
        self.errors: list[Diagnostic] = []

    def bind(self, tensor: Tensor, shape: Shape) -> None:
        if len(shape) != len(tensor.extents):
            self.errors.append(_wrong_rank(tensor, shape))
            return
        for axis, (extent, size) in enumerate(zip(tensor.extents, shape, strict=True)):
            self.pending.append((tensor, axis, size))
            if isinstance(extent, Extent) and tensor.kind == "input":
                self.symbols.setdefault(extent.name, (size, tensor, axis))

    def known(self) -> dict[str, int]:
        return _declared_batch(self.program) | {
            name: size for name, (size, _, _) in self.symbols.items()
        }

    def check(self) -> None:
        known = self.known()
        for tensor, axis, size in self.pending:
            extent = tensor.extents[axis]
            try:
                wanted = evaluate_constant(extent, {}, known)
            except KeyError:
                continue
            if wanted != size:
                self.errors.append(self.disagreement(tensor, axis, size, wanted))
            elif size == 0:
                self.errors.append(_empty(tensor, axis))

    def disagreement(self, tensor: Tensor, axis: int, size: int, wanted: Value) -> Diagnostic:
        extent = tensor.extents[axis]
        names = [f"`{n}`" for n in tensor.axes[axis : axis + 1]]
        message = f"axis {axis} of `{tensor.name}` has {size} elements, and {wanted} are needed"
        labels = [(tensor.span, f"axis {axis}{' is ' + names[0] if names else ''}, {size} here")]
        if isinstance(extent, Extent) and extent.name in self.symbols:
            count, other, place = self.symbols[extent.name]
            labels.append((other.span, f"axis {place} of `{other.name}` has {count}"))
        else:
            place = self.program.find_index(tensor.axes[axis]) if names else None
            if place is not None:
                labels.append((place.span, f"the extent is {show(extent)}"))
        return diagnostic(
            "E0203",
            message,
            *labels,
            help="an index means one extent in the whole program; nothing is broadcast",
        )

    def values(self) -> dict[str, int]:
        known = self.known()
        found: dict[str, int] = {}
        named = [(index.name, index.extent) for index in self.program.indices]
        for name, extent in (*named, *self.program.extents):
            found[name] = self.value(name, extent, known)
        if self.errors:
            raise EinbatchError(self.errors)
        return found

    def value(self, name: str, extent: Expression, known: Mapping[str, int]) -> int:
        try:
            value = evaluate_constant(extent, {}, known)
        except KeyError as error:
            self.errors.append(_unbound(self.program, str(error.args[0])))
            return 1
        if not isinstance(value, int) or value < 1:
            self.errors += self.no_extent(name, value)
            return 1
        return value

    def no_extent(self, name: str, value: Value) -> Sequence[Diagnostic]:
        """What is wrong where an extent comes to no positive integer."""
        index = self.program.find_index(name)
        declared = [item.extent for item in self.program.indices if item.declared is not None]
        if index is None or index.extent in declared:
            return not_an_extent(f"{value}", _span_of(self.program, name)).diagnostics
        return [
            diagnostic(
                "E0312",
                f"no value of `{name}` keeps this subscript inside the data, not even 0",
                (index.fixed, f"`{name}` would have {value} values"),
                help="bind a longer axis, or say what is read outside: `(x[…] else 0)`",
            )
        ]


def constant_values(program: Program, extents: Mapping[str, int]) -> dict[str, Value]:
    """The value of every constant, given the extents (see `bind_extents`).

    Constants that need an extent which is not given are left out.
    """
    lets = {let.name: let.value for let in program.lets}
    order, _ = in_order(lets, lambda name: _constants_in(lets[name]))
    found: dict[str, Value] = {}
    for name in order:
        with suppress(KeyError):
            found[name] = evaluate_constant(lets[name], found, extents)
    return {name: found[name] for name in lets if name in found}


def _constants_in(value: Expression) -> Iterator[str]:
    return (node.name for node in walk(value) if isinstance(node, Constant))


def _declared_batch(program: Program) -> dict[str, int]:
    """The batch extent by its symbol, where its declaration makes it a number."""
    batch = None if program.batch is None else program.index(program.batch)
    if batch is None or batch.declared is None or not isinstance(batch.extent, Extent):
        return {}
    with suppress(KeyError):
        value = evaluate_constant(batch.declared, constant_values(program, {}), {})
        return {batch.extent.name: value} if isinstance(value, int) else {}
    return {}


def _symbols(extent: Expression) -> list[str]:
    return [node.name for node in walk(extent) if isinstance(node, Extent)]


def _span_of(program: Program, name: str) -> Span:
    index = program.find_index(name)
    return program.indices[0].span if index is None else index.span


def _wrong_rank(tensor: Tensor, shape: Shape) -> Diagnostic:
    count = len(tensor.extents)
    return diagnostic(
        "E0612",
        f"`{tensor.name}` has {count} {'axis' if count == 1 else 'axes'}, "
        f"and the array has {len(shape)}: {shape}",
        (tensor.span, "declared here"),
        help="bind an array with one axis for each index",
    )


def _empty(tensor: Tensor, axis: int) -> Diagnostic:
    return diagnostic(
        "E0301",
        f"axis {axis} of `{tensor.name}` is empty; an extent is a positive integer",
        (tensor.span, "bound to an empty array"),
        help="bind at least one element",
    )


def _unbound(program: Program, symbol: str) -> Diagnostic:
    for tensor in program.of_kind("input"):
        if Extent(symbol) in tensor.extents:
            return diagnostic(
                "E0613",
                f"input `{tensor.name}` is not bound, and it fixes the extent `{symbol}`",
                (tensor.span, "declared here"),
                help=f"give it: `--data {tensor.name}=FILE`, or `{tensor.name}=…` from Python",
            )
    index = program.find_index(symbol)
    return diagnostic(
        "E0302",
        f"nothing fixes the extent `{symbol}`",
        *([index.span] if index else []),
        help=f"declare it: `index {symbol} < 10`",
    )
