"""Random pieces of models: a depth of layers, states within states, parts put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from tests.random_case import ATOM, PRODUCT, SUM, Expr, access
from tests.random_expressions import UNARY
from tests.strategies import declare

if TYPE_CHECKING:
    from tests.random_affine import Affine

ACTIVATIONS = ("tanh", "sigmoid", "relu", "gelu", "softplus", "sin")


def deep_group(writer: Affine, name: str, depth: int) -> None:
    """`scan l:` over layers with weights of their own, `W[l,j,k]`, some of them residual."""
    case = writer.case
    kept = writer.left_indices(0, 1)
    inner = [i for i in case.indices if i not in kept and case.indices[i] not in case.batched]
    if not inner:
        return writer.value_group(name, depth)
    j = writer.pick(inner)
    layer, k = declare_index(writer, "l", writer.draw(st.integers(1, 3))), alias_of(writer, j)
    start, weight = f"{name}0", f"D{len(case.params)}"
    writer.statement(start, "=", writer.expression((*kept, j), depth), writer.bare((*kept, j)))
    writer.add(start, (*kept, j), 5)
    declare_param(writer, weight, (layer, j, k))
    down = writer.chance(3)
    before = f"{layer} {'+' if down else '-'} 1"
    own, other = access(start, [*kept, k]), access(name, [before, *kept, k])
    term = f"{access(weight, [layer, j, k])}*({other} else {own})"
    total = f"sum[{k}]({term})" if writer.chance(2) else f"mean[{k}]({term})"
    value = f"{writer.pick(ACTIVATIONS)}({total})"
    if writer.chance(2):
        value = f"({access(name, [before, *kept, j])} else {access(start, [*kept, j])}) + {value}"
    axes = (layer, *kept, j)
    line = f"{access(name, axes)} = {value}"
    if not writer.chance(4):
        line = f"for {','.join(writer.draw(st.permutations([*kept, j])))}: {line}"
    case.statements.append(f"scan {layer}{' down' if down else ''}:\n    {line}")
    writer.read_names.add(start)
    writer.add(name, axes, 8)
    case.finished[-1] = None
    return None


def nested_group(writer: Affine, name: str, depth: int) -> None:
    """A scan over time in a scan over depth, with statements before and after it."""
    options = [i for i, e in writer.case.indices.items() if e not in writer.case.batched]
    if len(options) < 2:
        return writer.scan_group(name, depth)
    s, t = writer.draw(st.permutations(options))[:2]
    down = {s: writer.chance(3), t: writer.chance(3)}
    writer.scanned = (s,)
    others = tuple(i for i in writer.left_indices(0, 1) if i not in (s, t))
    axes = (s, t, *others)
    first, last = f"{name}0", f"{name}2"
    before = {i: f"{i} {'+' if down[i] else '-'} 1" for i in (s, t)}
    given = writer.unary("tanh", writer.expression((t, *others), depth))
    earlier = access(name, [before[s], t, *others])
    lines = [f"    {access(first, axes)} = ({earlier} else 0) + {given.text}"]
    writer.scanned = (s, t)
    weight = writer.unary(writer.pick(list(UNARY)[:3]), writer.leaf((s, *others)))
    inside = f"{access(first, axes)} + 0.5*({access(name, [s, before[t], *others])} else 1)"
    extra = f" + 0.1*({weight.text})" if weight.size < 4 else ""
    lines.append(f"    scan {t}{' down' if down[t] else ''}:")
    lines.append(f"        {access(name, axes)} = {writer.pick(ACTIVATIONS)}({inside}{extra})")
    after = writer.pick(["+=", "-=", "max="])
    lines.append(f"    {access(last, (s, *others))} {after} {access(name, axes)}")
    writer.scanned = ()
    head = f"scan {s}{' down' if down[s] else ''}:"
    writer.case.statements.append("\n".join([head, *lines]))
    for made, indices in ((name, axes), (last, (s, *others))):
        writer.add(made, indices, 4)
        writer.case.finished[-1] = None
    return None


def joined_group(writer: Affine, name: str, depth: int) -> None:
    """`z[i+0] = …`, then `z[|i|+j] += …`: two tensors one after the other."""
    kept = writer.left_indices(0, 1)
    others = [i for i in writer.case.indices if i not in kept]
    if not others:
        return writer.value_group(name, depth)
    i, j = writer.pick(others), writer.pick(others)
    sizes = [writer.case.sizes[writer.case.indices[x]] for x in (i, j)]
    at = writer.draw(st.integers(0, len(kept)))
    places = (
        Expr(f"{i} + 0", SUM, frozenset([i]), sizes[0]),
        Expr(f"|{i}| + {j}", SUM, frozenset([j]), sum(sizes)),
    )
    for place, index, operator in ((places[0], i, "="), (places[1], j, "+=")):
        value = writer.expression((*kept, index), depth)
        left = writer.bare(kept)
        left.insert(at, place)
        writer.statement(name, operator, value, left)
    extents = [writer.case.indices[x] for x in (i, j)]
    batched = any(extent in writer.case.batched for extent in extents)
    p = writer.index(sum(sizes), batched=batched)
    axes = (*kept[:at], p, *kept[at:])
    whole = Expr(access(name, axes), ATOM, frozenset(axes), 20)
    writer.add(name, axes, 20)
    writer.statement(f"{name}2", "=", writer.unary("tanh", whole), writer.bare(axes))
    writer.read_names.add(name)
    return writer.add(f"{name}2", axes, 1)


def training_group(writer: Affine, name: str, depth: int) -> None:
    """What is one thing in training, and another otherwise."""
    indices = writer.left_indices(0, 2)
    first, second = (writer.expression(indices, depth) for _ in range(2))
    form = writer.pick(["if training then {a} else {b}", "[training]*({a}) + ({b})"])
    value = Expr(form.format(a=first.text, b=second.text), PRODUCT + 2, frozenset(indices), 40)
    free = first.free | second.free
    writer.statement(name, "=", Expr(value.text, value.binding, free, 40), writer.bare(indices))
    if "training" not in writer.case.draws:
        writer.case.draws.append("training")
    return writer.add(name, indices, 40)


def declare_index(writer: Affine, letter: str, size: int) -> str:
    name = f"{letter}{len(writer.case.indices)}"
    writer.case.declarations.append(f"index {name} < {size}")
    writer.case.indices[name] = str(size)
    writer.case.sizes[str(size)] = size
    return name


def alias_of(writer: Affine, index: str) -> str:
    """Another index over the same extent."""
    name = f"{index}'"
    if name not in writer.case.indices:
        writer.case.declarations.append(f"index {name} < |{index}|")
        writer.case.indices[name] = writer.case.indices[index]
    return name


def declare_param(writer: Affine, name: str, indices: tuple[str, ...]) -> None:
    declare(writer.case, "param", name, indices, " ~ normal(0, 1)")
    writer.case.params.append(name)
    writer.known.append(writer.case.given[-1])
