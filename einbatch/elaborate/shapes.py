"""The tensors of a program: their ranks, and their extents by unification."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from einbatch.diagnostics import EinbatchError, Span, fail
from einbatch.elaborate.attempts import Attempts
from einbatch.elaborate.declarations import Declared
from einbatch.elaborate.expressions import no_tensor
from einbatch.elaborate.extents import Extents, Variable
from einbatch.elaborate.ranges import Ranges
from einbatch.elaborate.scope import TENSORS, Scope
from einbatch.elaborate.wording import counted
from einbatch.ir import (
    Elements,
    Expression,
    Extent,
    Index,
    IndexValue,
    Number,
    Read,
    Statement,
    Tensor,
    reads,
)
from einbatch.syntax import nodes as tree


class Shapes:
    """What is known of the tensors' ranks and extents while a program is elaborated."""

    def __init__(self, scope: Scope, attempts: Attempts, *, implicit_inputs: bool) -> None:
        self.scope = scope
        self.attempts = attempts
        self.implicit_inputs = implicit_inputs
        self.implicit: dict[str, tree.Identifier] = {}
        self.ranks: dict[str, tuple[int, Span]] = {}
        self.cotangent_reads: dict[str, tree.Identifier] = {}

    def check_read(self, identifier: tree.Identifier, count: int | None) -> None:
        """A tensor is used with `count` subscripts (None: a name alone)."""
        key = identifier.key
        symbol = self.scope.find(key)
        if symbol is None:
            self._unknown(identifier, count or 0)
        elif symbol.meaning not in TENSORS:
            return
        if symbol is not None and symbol.meaning != "value":
            expected, place = symbol.rank, symbol.identifier.span
        elif self.scope.holder(key) != key and self.scope.holder(key) in self.ranks:
            expected, place = self.ranks[self.scope.holder(key)]
        else:
            expected, place = self.ranks.setdefault(key, (count or 0, identifier.span))
        self.ranks.setdefault(key, (expected, place))
        if expected != (count or 0):
            given = counted(count or 0, "subscript")
            raise fail(
                "E0206",
                f"`{key}` has {counted(expected, 'axis')}, and gets {given}",
                (identifier.span, f"{given} here"),
                (place, f"{counted(expected, 'axis')} here"),
                help="give each axis one subscript",
            )

    def _unknown(self, identifier: tree.Identifier, count: int) -> None:
        key = identifier.key
        base = self.scope.find(self.scope.holder(key))
        if self.scope.holder(key) != key and base is not None and base.meaning in TENSORS:
            self.cotangent_reads.setdefault(key, identifier)
        elif self.implicit_inputs and self.scope.holder(key) == key:
            self.scope.declare("input", identifier, count)
            self.implicit[key] = identifier
        elif self.scope.holder(key) != key:
            raise no_tensor(self.scope.holder(key), key, identifier.span, "read here")
        else:
            raise self._undeclared(identifier, count)

    def _undeclared(self, identifier: tree.Identifier, count: int) -> EinbatchError:
        if count:
            form = "`input {}[…]` or `param {}[…] = …`"
            return self.scope.unknown(identifier, meanings=tuple(TENSORS), form=form)
        form = "`let {} = …`, `input {}` or `param {} = …`"
        return self.scope.unknown(identifier, form=form)

    def names(self, declared: Declared) -> list[str]:
        """Every tensor: declared ones by kind, then implicit inputs, values, cotangents."""
        values = [k for k, s in self.scope.symbols.items() if s.meaning in ("value", "report")]
        known = [tensor.name for tensor in declared.tensors if tensor.kind == "input"]
        others = [tensor.name for tensor in declared.tensors if tensor.kind != "input"]
        return [*known, *self.implicit, *others, *values, *self.cotangent_reads]

    def unify(self, extents: Extents, declared: Declared, steps: Iterable[Statement]) -> None:
        """Joins everything that the program says is one extent."""
        indices = [key for key, s in self.scope.symbols.items() if s.meaning == "index"]
        symbols = [key for key, s in self.scope.symbols.items() if s.meaning == "extent"]
        for variable in [("extent", key) for key in symbols] + [("index", key) for key in indices]:
            extents.parents.setdefault(variable, variable)
        for item in declared.extents:
            _declare(extents, ("index", item.index.key), item.extent, item.index.span, symbols)
        for tensor in declared.tensors:
            self.attempts.attempt(lambda tensor=tensor: _join_declared(extents, tensor))
        statements = tuple(steps)
        for statement in statements:
            _join(extents, statement.target, statement.subscripts)
            for expression in (*statement.subscripts, statement.value):
                for read in reads(expression):
                    _join(extents, read.tensor, read.subscripts)
        for name in self.names(declared):
            self._join_cotangent(extents, name)
        extents.name_classes(self._named(declared))
        extents.settle()
        self.attempts.attempt(lambda: self._infer_ranges(extents, statements, declared))
        self._join_gathered(extents, statements, declared)
        self._name_loose_axes(extents)
        extents.names.clear()
        extents.name_classes(self._named(declared))
        extents.settle()

    def _named(self, declared: Declared) -> list[Variable]:
        """What a class may be called: named extents, then indices; `j' < |j|` after `j`."""
        symbols = self.scope.symbols.items()
        following = {d.index.key for d in declared.extents if isinstance(d.extent, Extent)}
        indices = [key for key, symbol in symbols if symbol.meaning == "index"]
        named = [("extent", key) for key, symbol in symbols if symbol.meaning == "extent"]
        return named + [("index", key) for key in sorted(indices, key=following.__contains__)]

    def _join_cotangent(self, extents: Extents, name: str) -> None:
        if self.scope.holder(name) == name or self.scope.holder(name) not in self.ranks:
            return
        rank, place = self.ranks[self.scope.holder(name)]
        for k in map(str, range(rank)):
            extents.join(("axis", self.scope.holder(name), k), ("axis", name, k), place)

    def _infer_ranges(
        self, extents: Extents, steps: tuple[Statement, ...], declared: Declared
    ) -> None:
        ranks = {tensor.name: len(tensor.axes) for tensor in declared.tensors}
        ranks |= {key: self.ranks[key][0] for key in self.implicit}
        inputs = [tensor.name for tensor in declared.tensors if tensor.kind == "input"]
        given = [
            ("axis", name, str(k)) for name in (*inputs, *self.implicit) for k in range(ranks[name])
        ]
        members = {t.name: t.member for t in declared.tensors if t.member is not None}
        Ranges(extents, given, _integers(extents), members).infer(steps)

    def _is_known(self, extents: Extents, axis: Variable) -> bool:
        if extents.is_fixed(axis):
            return True
        root = extents.root(axis)
        indices = [key for key, s in self.scope.symbols.items() if s.meaning == "index"]
        return any(extents.root(("index", key)) == root for key in indices)

    def _join_gathered(
        self, extents: Extents, steps: tuple[Statement, ...], declared: Declared
    ) -> None:
        """An implicit input's axis that only `w in v` subscripts has the extent of `v`."""
        members = {t.name: t.member for t in declared.tensors if t.member is not None}
        found = (
            (read, k, subscript)
            for statement in steps
            for expression in (*statement.subscripts, statement.value)
            for read in reads(expression)
            if read.tensor in self.implicit
            for k, subscript in enumerate(read.subscripts)
        )
        for read, k, subscript in found:
            axis = ("axis", read.tensor, str(k))
            member = members.get(subscript.tensor) if isinstance(subscript, Read) else None
            if member is not None and not self._is_known(extents, axis):
                extents.join(("index", member), axis, subscript.span)

    def _name_loose_axes(self, extents: Extents) -> None:
        """An implicit input's axis that no index runs over gets an index of its own."""
        for key in self.implicit:
            for k in range(self.ranks[key][0]):
                axis = ("axis", key, str(k))
                if not self._is_known(extents, axis):
                    name = self._fresh(f"{key}_{k}")
                    self.scope.declare("index", tree.Identifier(name))
                    extents.parents.setdefault(("index", name), ("index", name))
                    extents.join(("index", name), axis, self.ranks[key][1])

    def _fresh(self, name: str) -> str:
        while self.scope.find(name) is not None:
            name += "'"
        return name

    def indices(self, extents: Extents, declared: Declared) -> tuple[Index, ...]:
        """Every index: the batch index, the declared ones, the inferred ones."""
        typed = {item.index.key: item for item in declared.extents}
        first = [] if declared.batch is None else [declared.batch]
        inferred = [key for key, s in self.scope.symbols.items() if s.meaning == "index"]
        names = dict.fromkeys([*first, *typed, *inferred])
        return tuple(
            Index(
                name,
                typed[name].extent if name in typed else None,
                extents.of(("index", name)),
                self.scope.symbols[name].identifier.span,
                extents.place_of(("index", name)) or self._data_of(extents, declared, name),
            )
            for name in names
        )

    def _data_of(self, extents: Extents, declared: Declared, index: str) -> Span:
        """The first input with an axis of the index: its data fix the extent."""
        root = extents.root(("index", index))
        inputs = [tensor for tensor in declared.tensors if tensor.kind == "input"]
        given = [(t.name, len(t.axes), t.span) for t in inputs]
        given += [(key, *self.ranks[key]) for key in self.implicit]
        for name, rank, span in given:
            if any(extents.root(("axis", name, str(k))) == root for k in range(rank)):
                return span
        return self.scope.symbols[index].identifier.span

    def named_extents(self, extents: Extents) -> tuple[tuple[str, Expression], ...]:
        """The names given to extents, and what they come to."""
        names = [key for key, s in self.scope.symbols.items() if s.meaning == "extent"]
        return tuple((name, extents.of(("extent", name))) for name in names)

    def tensors(self, extents: Extents, declared: Declared) -> Iterator[Tensor]:
        """Every tensor with its extents."""
        given = {tensor.name: tensor for tensor in declared.tensors}
        for name in self.names(declared):
            rank, place = self.ranks.get(name, (0, None))
            tensor = given.get(name)
            if tensor is None:
                kind = "input" if name in self.implicit else "value"
                tensor = Tensor(name, kind, (), span=place or self._place(name))
            else:
                rank = len(tensor.axes)
            axes = [("axis", name, str(k)) for k in range(rank)]
            found = tuple(extents.of(axis) for axis in axes)
            yield replace(tensor, extents=found, axes=self._axes(extents, tensor, axes))

    def _axes(self, extents: Extents, tensor: Tensor, axes: list[Variable]) -> tuple[str, ...]:
        """The index names of an input without a declaration: one of the same extent each."""
        if tensor.kind != "input" or tensor.name not in self.implicit:
            return tensor.axes
        names = [key for key, s in self.scope.symbols.items() if s.meaning == "index"]
        chosen: list[str] = []
        for axis in axes:
            root = extents.root(axis)
            fitting = [n for n in names if extents.root(("index", n)) == root]
            unused = [n for n in fitting if n not in chosen]
            chosen.append((unused or fitting or [""])[0])
        return tuple(chosen)

    def _place(self, name: str) -> Span:
        symbol = self.scope.find(name)
        identifier = self.cotangent_reads[name] if symbol is None else symbol.identifier
        return identifier.span


def _integers(extents: Extents) -> dict[str, int]:
    """The constants that are integers."""
    settled = ((name, extents.settled.get(("constant", name))) for name in extents.constants)
    return {
        name: value.value
        for name, value in settled
        if isinstance(value, Number) and isinstance(value.value, int)
    }


def _declare(
    extents: Extents, index: Variable, extent: Expression, span: Span, symbols: list[str]
) -> None:
    """`b < B` and `q < |k|` say that two extents are one; anything else is a value."""
    if isinstance(extent, Extent):
        kind = "extent" if extent.name in symbols else "index"
        extents.join((kind, extent.name), index, span)
    else:
        extents.fix(index, extent, extent.span)


def _join_declared(extents: Extents, tensor: Tensor) -> None:
    for k, axis in enumerate(tensor.axes):
        extents.join(("index", axis), ("axis", tensor.name, str(k)), tensor.span)
    if isinstance(tensor.initial, Elements):
        for k, count in enumerate(shape_of(tensor, tensor.initial)):
            axis = ("axis", tensor.name, str(k))
            extents.fix(axis, Number(count, tensor.initial.span), tensor.initial.span)


def shape_of(tensor: Tensor, elements: Elements) -> tuple[int, ...]:
    """The shape of nested elements; EinbatchError where they are ragged or of another rank."""
    shape: list[int] = []
    level: list[Elements | Expression] = [elements]
    while level and all(isinstance(item, Elements) for item in level):
        groups = [item for item in level if isinstance(item, Elements)]
        counts = {len(group.items) for group in groups}
        if len(counts) != 1 or 0 in counts:
            odd = next(g for g in groups if len(g.items) != len(groups[0].items) or not g.items)
            raise _ragged(odd, groups[0])
        shape.append(counts.pop())
        level = [item for group in groups for item in group.items]
    mixed = [item for item in level if isinstance(item, Elements)]
    if mixed:
        raise _ragged(mixed[0], elements)
    if len(shape) != len(tensor.axes):
        raise fail(
            "E0206",
            f"`{tensor.name}` has {counted(len(tensor.axes), 'axis')}, and its elements are nested "
            f"{len(shape)} deep",
            (elements.span, f"nested {len(shape)} deep"),
            (tensor.span, f"{counted(len(tensor.axes), 'axis')} here"),
            help="nest the elements once for each axis",
        )
    return tuple(shape)


def _ragged(odd: Elements, first: Elements) -> Exception:
    return fail(
        "E0307",
        "these elements do not form a box",
        (odd.span, counted(len(odd.items), "element") + " here"),
        (first.span, counted(len(first.items), "element") + " here"),
        help="every list of one level has the same number of elements, and at least one",
    )


def _join(extents: Extents, tensor: str, subscripts: tuple[Expression, ...]) -> None:
    for k, subscript in enumerate(subscripts):
        if isinstance(subscript, IndexValue):
            axis = ("axis", tensor, str(k))
            extents.join(("index", subscript.index), axis, subscript.span)
