"""Random definitions, and calls beside what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.random_case import ATOM, Expr, access

if TYPE_CHECKING:
    from tests.strategies import Writer

BODIES = {
    "{x}*sigmoid({x})": 1,
    "tanh({x}) - {x}/2": 1,
    "sin({x} + {y}) + {x}*tanh({y})": 2,
    "({x} - {y})*cos({x})": 2,
    "if {x} < 0.1319 then {x}/3 else tanh({y})": 2,
    "stop({x})*{y}": 2,
}
PARAMETERS = ("x", "y", "W0", "h", "a'")


def declare_definitions(writer: Writer) -> None:
    """Two functions, one made of the other, and a layer that binds an index of its own."""
    lines: list[str] = []
    for name in ("f", "f2"):
        body = writer.pick(list(BODIES))
        names = writer.pick([PARAMETERS[:2], PARAMETERS[2:4], ("y", "x"), ("a'", "h")])
        text = body.format(x=names[0], y=names[1])
        used = names[: BODIES[body]]
        if name == "f2":
            text = f"f({', '.join([names[0]] * BODIES[writer.bodies['f']])}) + ({text})"
        writer.bodies[name] = body
        lines.append(f"def {name}({', '.join(used)}) = {text}")
    lines.append("def layer[j,i](W, x) = sum[i](W[i]*x)")
    lines.append("def scaled[j](W, x) = x*sum[i](W[i]) + sum[j](W[j]*x)/|j|")
    writer.case.declarations += lines


def call_definitions(writer: Writer, name: str, depth: int) -> None:
    """A call, and the statements that say the same without it."""
    scope = writer.left_indices(0, 2)
    if writer.chance(2):
        return _call_function(writer, name, scope, depth)
    return _call_layer(writer, name, scope, depth)


def _call_function(writer: Writer, name: str, scope: tuple[str, ...], depth: int) -> None:
    which = writer.pick(["f", "f2"])
    count = BODIES[writer.bodies[which]]
    arguments = [writer.unary("tanh", writer.expression(scope, depth)) for _ in range(count)]
    free = frozenset(scope)
    places: list[str] = []
    for k, argument in enumerate(arguments):
        writer.statement(f"{name}a{k}", "=", argument, writer.bare(scope))
        places.append(access(f"{name}a{k}", scope))
    text = ", ".join(argument.text for argument in arguments)
    writer.statement(name, "=", Expr(f"{which}({text})", ATOM, free, 3), writer.bare(scope))
    x, y = places[0], places[-1]
    meant = writer.bodies[which].format(x=x, y=y)
    if which == "f2":
        meant = f"({writer.bodies['f'].format(x=x, y=x)}) + ({meant})"
    twin = f"{name}0"
    writer.statement(twin, "=", Expr(meant, ATOM, free, 3), writer.bare(scope))
    writer.case.twins.append((name, twin))
    writer.add(name, scope, 3)


def _call_layer(writer: Writer, name: str, scope: tuple[str, ...], depth: int) -> None:
    """A vector's index is bound by the layer; the argument may hold an index of that name."""
    vectors = [k for k in writer.known if len(k.axes) == 1 and k.member is None]
    vectors = [k for k in vectors if writer.over(k.axes[0], list(writer.case.indices))]
    if not vectors:
        return writer.value_group(name, depth)
    vector = writer.pick(vectors)
    indices = writer.over(vector.axes[0], list(writer.case.indices))
    inner = writer.pick(indices)
    twin, part, total = f"{name}0", f"{name}p", f"{name}q"
    size = vector.size * 8
    if writer.chance(2) or not {"i", "j"} <= set(indices):
        outer = tuple(index for index in scope if index != inner)
        argument = writer.unary("tanh", writer.expression((*outer, inner), depth))
        left = writer.pick([*outer, inner])
        call = f"layer[{left},{inner}]({vector.name}, {argument.text})"
        meant = f"sum[{inner}]({access(vector.name, [inner])}*({argument.text}))"
    else:
        outer = tuple(index for index in scope if index != "j")
        argument = writer.unary("tanh", writer.expression(outer, depth))
        call = f"scaled[j]({vector.name}, {argument.text})"
        whole = Expr(f"sum[i]({access(vector.name, ['i'])})", ATOM, frozenset(), size)
        writer.statement(part, "=", argument, writer.bare(outer))
        writer.statement(total, "=", whole, [])
        meant = f"{total}*{access(part, outer)} + {total}*{access(part, outer)}/|j|"
    free = argument.free - {inner}
    writer.statement(name, "=", Expr(call, ATOM, free, size), writer.bare(outer))
    writer.statement(twin, "=", Expr(meant, ATOM, frozenset(outer), size), writer.bare(outer))
    writer.case.twins.append((name, twin))
    writer.read_names.add(vector.name)
    return writer.add(name, outer, size)
