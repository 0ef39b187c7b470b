"""Tree → tree: definitions put in where they are called, capital slices summed.

Before:

    def affine[j,i](W, T, x) = sum[i](W[j,i]*x) - T[j]
    y[b,j] = affine[j,k](U, C, x[b,k])
    z[b,j] = V[j,K] x[b,K]

After:

    y[b,j] = sum[k](U[j,k]*x[b,k]) - C[j]
    z[b,j] = sum[K](V[j,K]*x[b,K])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from einbatch.diagnostics import EinbatchError, fail
from einbatch.elaborate.capitals import sum_capitals
from einbatch.syntax import nodes as tree
from einbatch.syntax.scan import NESTING
from einbatch.syntax.traverse import parts, walk, with_parts

DEEPEST = 50
"""How many definitions may stand inside each other when they are put in."""
MOST_PARTS = 200_000
"""How many operations, names and numbers the definitions of a program may come to."""
S = TypeVar("S", bound=tree.Statement)
Rule = Callable[[tree.Expression], tree.Expression]


def expand(program: tree.Tree) -> tree.Tree:
    """The tree without definitions and capital slices; EinbatchError where a call is wrong."""
    definitions: dict[str, tree.Def] = {}
    for statement in program.statements:
        if isinstance(statement, tree.Def):
            if statement.name.key in definitions:
                raise _defined_twice(statement, definitions[statement.name.key])
            _check_parameters(statement)
            definitions[statement.name.key] = statement
    kept = tuple(s for s in program.statements if not isinstance(s, tree.Def))
    if definitions:
        inline = _Inline(definitions)
        kept = tuple(map_expressions(s, lambda e: inline.expression(e, 0)) for s in kept)
    return sum_capitals(replace(program, statements=kept))


def map_expressions(statement: S, rule: Rule) -> S:
    """A statement with `rule` applied to its expressions, those of a block included."""
    match statement:
        case tree.For(body=body) | tree.Scan(body=body):
            return replace(statement, body=tuple(map_expressions(s, rule) for s in body))
        case tree.Assign(target=target, value=value):
            return replace(statement, target=_target(target, rule), value=rule(value))
        case tree.Report(value=value) | tree.Let(value=value):
            return replace(statement, value=rule(value))
        case tree.Sample(draw=draw):
            return replace(statement, draw=_draw(draw, rule))
        case tree.Param(initial=initial):
            if isinstance(initial, tree.Draw):
                return replace(statement, initial=_draw(initial, rule))
            return replace(statement, initial=_elements(initial, rule))
        case tree.State(initial=initial):
            return replace(statement, initial=_elements(initial, rule))
        case tree.Input(literal=literal) if literal is not None:
            return replace(statement, literal=_elements(literal, rule))
        case tree.Batch(extent=extent) if extent is not None:
            return replace(statement, extent=rule(extent))
        case tree.Indices(groups=groups):
            new = tuple(replace(group, extent=rule(group.extent)) for group in groups)
            return replace(statement, groups=new)
        case tree.Train(settings=settings, options=options):
            pairs = (_options(settings, rule), _options(options, rule))
            return replace(statement, settings=pairs[0], options=pairs[1])
        case _:
            return statement


def _target(target: tree.Access | tree.Name, rule: Rule) -> tree.Access | tree.Name:
    if isinstance(target, tree.Name):
        return target
    return replace(target, subscripts=tuple(map(rule, target.subscripts)))


def _draw(draw: tree.Draw, rule: Rule) -> tree.Draw:
    return replace(draw, arguments=tuple(map(rule, draw.arguments)))


def _elements(
    initial: tree.Expression | tree.Elements, rule: Rule
) -> tree.Expression | tree.Elements:
    if isinstance(initial, tree.Elements):
        return replace(initial, items=tuple(_elements(item, rule) for item in initial.items))
    return rule(initial)


def _options(options: tuple[tree.Option, ...], rule: Rule) -> tuple[tree.Option, ...]:
    return tuple(replace(option, value=rule(option.value)) for option in options)


@dataclass(slots=True)
class _Inline:
    """Puts definitions in; `put_in` counts the parts that they came to."""

    definitions: Mapping[str, tree.Def]
    put_in: int = 0

    def expression(self, node: tree.Expression, depth: int, level: int = 0) -> tree.Expression:
        """The expression, `level` deep in another, with every call replaced by its body."""
        below = tuple(self.expression(part, depth, level + 1) for part in parts(node))
        node = with_parts(node, below)
        if not isinstance(node, tree.Call) or node.function not in self.definitions:
            return node
        definition = self.definitions[node.function]
        if depth >= DEEPEST:
            raise _too_deep(node, definition)
        _check_call(node, definition)
        size, height = _measure(definition, node)
        self.put_in += size
        if self.put_in > MOST_PARTS or level + height > NESTING:
            raise _too_large(node, definition)
        return self.expression(_body(definition, node), depth + 1, level)


def _measure(definition: tree.Def, call: tree.Call) -> tuple[int, int]:
    """How many parts a call comes to, and how deep they are nested: bounds for both."""
    arguments = [_size(argument) for argument in call.arguments]
    names = [parameter.key for parameter in definition.parameters]
    of = dict(zip(names, arguments, strict=True))
    size, height = _size(definition.body)
    for node in walk(definition.body):
        if isinstance(node, tree.Name) and node.identifier.key in of:
            size += of[node.identifier.key][0]
    return size, height + max((deep for _, deep in arguments), default=0)


def _size(node: tree.Expression) -> tuple[int, int]:
    """The number of parts of an expression, and the greatest depth of one."""
    count, height = 0, 0
    stack = [(node, 1)]
    while stack:
        item, depth = stack.pop()
        count, height = count + 1, max(height, depth)
        stack += [(part, depth + 1) for part in parts(item)]
    return count, height


def _body(definition: tree.Def, call: tree.Call) -> tree.Expression:
    """The body with parameters and indices replaced; its own bound indices never capture."""
    names = [parameter.key for parameter in definition.parameters]
    values = dict(zip(names, call.arguments, strict=True))
    indices = {own.key: given for own, given in zip(definition.indices, call.indices, strict=True)}
    used = {name for argument in call.arguments for name in _names(argument)}
    used |= {index.key for index in call.indices}
    for node in walk(definition.body):
        if isinstance(node, tree.Reduction):
            for index in node.indices:
                if index.key not in indices and index.key in used:
                    indices[index.key] = _fresh(index, used)
    return _substitute(definition.body, values, indices)


def _fresh(index: tree.Identifier, used: set[str]) -> tree.Identifier:
    key = index.key + "'"
    while key in used:
        key += "'"
    used.add(key)
    return tree.Identifier(key, key, index.span)


def _substitute(
    node: tree.Expression,
    values: Mapping[str, tree.Expression],
    indices: Mapping[str, tree.Identifier],
) -> tree.Expression:
    match node:
        case tree.Name(identifier=identifier) if identifier.key in values:
            return values[identifier.key]
        case tree.Name(identifier=identifier) if identifier.key in indices:
            return replace(node, identifier=indices[identifier.key])
        case tree.ExtentOf(index=index) if index.key in indices:
            return replace(node, index=indices[index.key])
        case _:
            pass
    below = tuple(_substitute(part, values, indices) for part in parts(node))
    new = with_parts(node, below)
    match new:
        case tree.Access(tensor=tensor) if tensor.key in values:
            return replace(new, tensor=_tensor(values[tensor.key], new))
        case tree.Reduction(indices=bound):
            return replace(new, indices=tuple(indices.get(i.key, i) for i in bound))
        case tree.Call(indices=given):
            return replace(new, indices=tuple(indices.get(i.key, i) for i in given))
        case _:
            return new


def _tensor(argument: tree.Expression, access: tree.Access) -> tree.Identifier:
    if isinstance(argument, tree.Name):
        return argument.identifier
    raise fail(
        "E0422",
        f"`{access.tensor.key}` is subscripted in the definition, so its argument is a tensor's "
        "name",
        (argument.span, "an expression"),
        (access.span, "subscripted here"),
        help="give the tensor's name alone, without subscripts",
    )


def _names(node: tree.Expression) -> set[str]:
    """Every name under a node, indices of reductions included."""
    found: set[str] = set()
    for item in walk(node):
        match item:
            case tree.Name(identifier=identifier):
                found.add(identifier.key)
            case tree.ExtentOf(index=index):
                found.add(index.key)
            case tree.Reduction(indices=indices):
                found.update(index.key for index in indices)
            case _:
                pass
    return found


def _check_parameters(definition: tree.Def) -> None:
    seen: dict[str, tree.Identifier] = {}
    for parameter in (*definition.indices, *definition.parameters):
        if parameter.key in seen:
            raise fail(
                "E0403",
                f"`{parameter.key}` stands twice in the parameters of `{definition.name.key}`",
                (parameter.span, "again here"),
                (seen[parameter.key].span, "first here"),
                help="name each parameter once",
            )
        seen[parameter.key] = parameter


def _check_call(call: tree.Call, definition: tree.Def) -> None:
    for given, wanted, what in (
        (len(call.arguments), len(definition.parameters), ("argument", "arguments")),
        (len(call.indices), len(definition.indices), ("index", "indices")),
    ):
        if given != wanted:
            raise fail(
                "E0420",
                f"`{call.function}` takes {wanted or 'no'} {what[wanted != 1]}, "
                f"and gets {given or 'none'}",
                (call.span, "called here"),
                (definition.span, "defined here"),
                help="give each of them once, in the order of the definition",
            )


def _too_deep(call: tree.Call, definition: tree.Def) -> EinbatchError:
    return fail(
        "E0421",
        f"`{call.function}` calls itself, or stands in more than {DEEPEST} others",
        (call.span, "called here"),
        (definition.span, "defined here"),
        help="a definition is put in where it is called; use `scan` to repeat a step",
    )


def _too_large(call: tree.Call, definition: tree.Def) -> EinbatchError:
    return fail(
        "E0421",
        f"`{call.function}` is too large, or nested too deep, once it is put in here",
        (call.span, f"at most {MOST_PARTS} parts in a program, {NESTING} inside each other"),
        (definition.span, "defined here"),
        help="give parts of it names by statements of their own",
    )


def _defined_twice(again: tree.Def, first: tree.Def) -> EinbatchError:
    return fail(
        "E0201",
        f"`{again.name.key}` has two definitions",
        (again.name.span, "again here"),
        (first.name.span, "first here"),
        help="a name means one thing in the whole program; rename one of them",
    )
