"""A view of an array, written the way a person would."""

from __future__ import annotations

from math import prod

from einbatch.plan.graph import Shape, contiguous


def view_expression(root: str, of: Shape, shape: Shape, strides: Shape, offset: int) -> str:
    """NumPy's expression for a view of a contiguous array; strides and offset in elements.

    >>> view_expression("x", (2, 3), (3, 2), (1, 3), 0)
    'x.T'
    >>> view_expression("x", (2, 3, 4), (2, 12), (12, 1), 0)
    'x.reshape(2, 12)'
    >>> view_expression("x", (3,), (2, 3), (0, 1), 0)
    'np.broadcast_to(x, (2, 3))'
    >>> view_expression("x", (3, 3), (2, 3, 3), (0, 1, 3), 0)
    'np.broadcast_to(x.reshape(1, 3, 3).transpose(0, 2, 1), (2, 3, 3))'
    >>> view_expression("x", (5, 4), (5,), (4,), 1)
    'x[:, 1]'
    >>> view_expression("x", (9,), (3, 4), (2, 1), 0)
    'np.ndarray((3, 4), x.dtype, x, 0 * x.itemsize, (2 * x.itemsize, 1 * x.itemsize))'
    """
    strides = tuple(0 if n == 1 else s for n, s in zip(shape, strides, strict=True))
    return (
        _permuted(root, of, shape, strides, offset)
        or _broadcast(root, of, shape, strides, offset)
        or _sliced(root, of, shape, strides, offset)
        or _turned(root, of, shape, strides, offset)
        or _strided(root, shape, strides, offset)
    )


def _permuted(root: str, of: Shape, shape: Shape, strides: Shape, offset: int) -> str | None:
    """`root.reshape(…).transpose(…)`, the parts that it needs."""
    if offset != 0 or prod(shape) != prod(of):
        return None
    order = sorted(range(len(shape)), key=lambda axis: (-strides[axis] or -prod(of) - 1, axis))
    straight = tuple(shape[axis] for axis in order)
    if tuple(strides[axis] for axis in order) != contiguous(straight):
        return None
    wide = [axis for axis in order if shape[axis] > 1]
    if wide == sorted(wide):
        order, straight = list(range(len(shape))), shape
    text = root if straight == of else f"{root}.reshape({_inside(straight)})"
    if order == list(range(len(shape))):
        return text
    places = [order.index(axis) for axis in range(len(shape))]
    return f"{text}.T" if len(places) == 2 else f"{text}.transpose({_inside(tuple(places))})"


def _broadcast(root: str, of: Shape, shape: Shape, strides: Shape, offset: int) -> str | None:
    """`np.broadcast_to(root, …)`, where the other axes are the root's, in order."""
    kept = [k for k, stride in enumerate(strides) if stride != 0]
    if len(kept) == len(shape) or offset != 0:
        return None
    narrow = tuple(n if strides[k] != 0 else 1 for k, n in enumerate(shape))
    inner = _permuted(root, of, narrow, strides, 0)
    if inner is None:
        return None
    leading = (*(1 for _ in range(len(shape) - len(of))), *of)
    if narrow == leading and strides == contiguous(narrow):
        inner = root
    return f"np.broadcast_to({inner}, {_tuple(shape)})"


def _sliced(root: str, of: Shape, shape: Shape, strides: Shape, offset: int) -> str | None:
    """`root[…]` with a number or a slice for each axis, the slices in order."""
    if any(stride <= 0 for n, stride in zip(shape, strides, strict=True) if n > 1):
        return None
    items: list[str] = []
    left = list(zip(shape, strides, strict=True))
    for extent, stride in zip(of, _steps(of), strict=True):
        start = offset // stride
        offset -= start * stride
        if not 0 <= start < extent:
            return None
        step = left[0][1] // stride if left and left[0][0] > 1 else 0
        inside = step and left[0][1] % stride == 0 and start + step * (left[0][0] - 1) < extent
        if inside:
            items.append(_slice(start, step, left.pop(0)[0], extent))
        else:
            items.append(str(start))
    if left or offset:
        return None
    if not shape:
        items.append("...")  # an array without axes, not the number that is there now
    return f"{root}[{', '.join(items)}]"


def _turned(root: str, of: Shape, shape: Shape, strides: Shape, offset: int) -> str | None:
    """`root[…].transpose(…)`, where the slices are not in order."""
    order = sorted(range(len(shape)), key=lambda axis: -strides[axis])
    straight = tuple(shape[axis] for axis in order)
    text = _sliced(root, of, straight, tuple(strides[axis] for axis in order), offset)
    places = tuple(order.index(axis) for axis in range(len(shape)))
    return None if text is None else f"{text}.transpose({_inside(places)})"


def _slice(start: int, step: int, count: int, extent: int) -> str:
    stop = start + step * (count - 1) + 1
    first = str(start) if start else ""
    last = str(stop) if stop < extent and not (step > 1 and stop + step > extent) else ""
    return f"{first}:{last}" + (f":{step}" if step > 1 else "")


def _strided(root: str, shape: Shape, strides: Shape, offset: int) -> str:
    steps = ", ".join(f"{stride} * {root}.itemsize" for stride in strides)
    steps += "," if len(strides) == 1 else ""
    start = f"{offset} * {root}.itemsize"
    return f"np.ndarray({_tuple(shape)}, {root}.dtype, {root}, {start}, ({steps}))"


def _steps(shape: Shape) -> Shape:
    """The strides of a contiguous array, those of extent 1 included."""
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))


def _inside(shape: Shape) -> str:
    return ", ".join(map(str, shape)) if shape else "()"


def _tuple(shape: Shape) -> str:
    return f"({shape[0]},)" if len(shape) == 1 else f"({', '.join(map(str, shape))})"
