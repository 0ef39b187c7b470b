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
    writer.add(f"{name}2", axes, 1)
    part = [*kept[:at], places[1].text, *kept[at:]]  # the second of them, taken out again
    again = Expr(access(name, part), ATOM, frozenset([*kept, j]), 20)
    writer.statement(f"{name}3", "=", again, writer.bare([*kept, j]))
    return writer.add(f"{name}3", (*kept, j), 20)


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


def embedding_group(writer: Affine, name: str, depth: int) -> None:
    """`e[b,t,i] = E[w[b,t],i]`, of one place or of those beside it; and what comes back by `w`."""
    case = writer.case
    places = writer.left_indices(1, 2)
    words = [i for i in case.indices if case.indices[i].isdigit()]
    if not words:
        return writer.value_group(name, depth)
    w, i = writer.pick(words), declare_index(writer, "i", writer.draw(st.integers(1, 3)))
    table, text = f"E{len(case.params)}", f"t{len(case.given)}"
    declare(case, "input", text, places, f" in {w}", case.indices[w])
    writer.known.append(case.given[-1])
    declare_param(writer, table, (w, i))
    here = access(text, places)
    if writer.chance(3):
        shifted = [f"{places[0]} - 1", *places[1:]]
        here = f"({access(text, shifted)} else 0)"
    column = writer.pick([i, f"{i} + 1"])
    read = access(table, [here, column])
    if column != i or writer.chance(4):
        read = f"({read} else {writer.pick(['0', 'c', '1'])})"
    value = Expr(read, ATOM, frozenset([*places, i]), 1.5)
    if case.indices[places[0]] not in case.batched and writer.chance(2):
        return read_in_turn(writer, name, (*places, i), read, access(text, places), w)
    writer.statement(name, "=", value, writer.bare([*places, i]))
    writer.add(name, (*places, i), 1.5)
    back = f"{name}2"
    writer.statement(back, "=", Expr("0", ATOM, frozenset([w, i]), 0), writer.bare([w, i]))
    left = [Expr(access(text, places), ATOM, frozenset(places), 4), *writer.bare([i])]
    added = Expr(access(name, [*places, i]), ATOM, frozenset([*places, i]), 1.5)
    added = writer.joined(writer.expression((*places, i), depth), added)
    writer.statement(back, writer.pick(["+=", "-=", "max="]), added, left)
    writer.read_names.add(name)
    return writer.add(back, (w, i), 100)


def read_in_turn(
    writer: Affine, name: str, axes: tuple[str, ...], read: str, word: str, w: str
) -> None:
    """A recurrent network that reads words, and a table that it writes by them."""
    t, i = axes[0], axes[-1]
    back = f"{name}2"
    writer.case.statements.append(f"{access(back, [w, i])} = 0.5")
    earlier = access(name, [f"{t} - 1", *axes[1:]])
    lines = [
        f"{access(name, axes)} = tanh({read} + 0.5*({earlier} else 0))",
        f"{access(back, [word, i])} {writer.pick(['+=', '-='])} {access(name, axes)}",
    ]
    writer.case.statements.append("\n".join([f"scan {t}:", *(f"    {line}" for line in lines)]))
    for made, indices in ((name, axes), (back, (w, i))):
        writer.add(made, indices, 8)
        writer.case.finished[-1] = None


def spread_group(writer: Affine, name: str, depth: int) -> None:
    """`y[2*p+k] += K[k]*x[p]`: a transposed convolution, its elements written more than once."""
    kept = writer.left_indices(0, 1)
    others = [i for i in writer.case.indices if i not in kept]
    if len(others) < 2:
        return writer.value_group(name, depth)
    i, j = writer.draw(st.permutations(others))[:2]
    steps = writer.pick([(1, 1), (2, 1), (1, 1), (1, 2), (3, 2)])
    offset = writer.draw(st.integers(0, 2))
    sizes = [writer.case.sizes[writer.case.indices[x]] for x in (i, j)]
    reach = sum(step * (size - 1) for step, size in zip(steps, sizes, strict=True)) + offset
    terms = [x if step == 1 else f"{step}*{x}" for step, x in zip(steps, (i, j), strict=True)]
    text = " + ".join([*terms, *([str(offset)] if offset else [])])
    left = [*writer.bare(kept), Expr(text, SUM, frozenset([i, j]), reach)]
    value = writer.expression((*kept, i, j), depth)
    writer.statement(name, writer.pick(["+=", "-="]), value, left)
    batched = any(writer.case.indices[x] in writer.case.batched for x in (i, j))
    p = writer.index(reach + 1, batched=batched)
    axes = (*kept, p)
    writer.add(name, axes, 4 * value.size)
    whole = Expr(access(name, axes), ATOM, frozenset(axes), 20)
    writer.statement(f"{name}2", "=", writer.unary("tanh", whole), writer.bare(axes))
    writer.read_names.add(name)
    return writer.add(f"{name}2", axes, 1)


def filtered_group(writer: Affine, name: str, depth: int) -> None:
    """A convolution of what the round before made: `K[k]*(h[t-1,i+k-1] else 0)`."""
    options = [i for i, e in writer.case.indices.items() if e not in writer.case.batched]
    if len(options) < 2:
        return writer.scan_group(name, depth)
    t, i = writer.draw(st.permutations(options))[:2]
    k = declare_index(writer, "k", writer.draw(st.integers(1, 3)))
    kernel = f"K{len(writer.case.params)}"
    declare_param(writer, kernel, (k,))
    down, form = writer.chance(3), writer.pick(["{i} + {k} - 1", "{i} - {k}", "{i} + 2*{k} - 1"])
    before = [f"{t} {'+' if down else '-'} 1", form.format(i=i, k=k)]
    term = f"{kernel}[{k}]*({access(name, before)} else {writer.pick(['0', '1', 'c'])})"
    writer.scanned = (t,)
    given = writer.unary("tanh", writer.expression((t, i), depth))
    writer.scanned = ()
    line = f"{access(name, (t, i))} = tanh({given.text} + sum[{k}]({term}))"
    writer.case.statements.append(f"scan {t}{' down' if down else ''}:\n    {line}")
    writer.add(name, (t, i), 1)
    writer.case.finished[-1] = None
    return None


def diagonal_group(writer: Affine, name: str, depth: int) -> None:
    """`D[i,i] = e` and what is added to it; the other elements are 0, or what was there."""
    i = writer.pick(list(writer.case.indices))
    others = writer.over(writer.case.indices[i], list(writer.case.indices))
    j = writer.pick([x for x in others if x != i] or [alias_of(writer, i)])
    if writer.chance(2):
        writer.statement(name, "=", writer.expression((i, j), 0), writer.bare((i, j)))
        operator = writer.pick(["+=", "-=", "*=", "max="])
    else:
        operator = writer.pick(["+=", "-="])
    value = writer.unary("tanh", writer.expression((i,), depth))
    writer.statement(name, operator, value, writer.bare((i, i)))
    return writer.add(name, (i, j), 20)


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
