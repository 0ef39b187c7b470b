"""What plans of whole models take, forward and backward, and what they do once for all rounds."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from math import prod, sqrt
from pathlib import Path

import numpy as np
import pytest

from einbatch.autodiff import differentiate
from einbatch.diagnostics import Source
from einbatch.elaborate import bind_extents
from einbatch.model.execution import Emitted, emit
from einbatch.model.front import read_program

COURSE = Path(__file__).parent.parent.parent / "programs" / "course"
Shapes = Mapping[str, tuple[int, ...]]


def emitted(text: str, shapes: Shapes, wrt: tuple[str, ...] = ()) -> Emitted:
    """The loss and the gradients of a program, for inputs of these shapes."""
    program = read_program(Source("model.ein", text)).forward
    derived = differentiate(program, wrt)
    asked = (*(tensor.name for tensor in program.of_kind("param")), *wrt)
    outputs = ("loss", *(f"{name}.grad" for name in asked))
    return emit(derived, bind_extents(derived, shapes), outputs, "numpy", "float32")


def course(name: str) -> str:
    return (COURSE / f"{name}.ein").read_text("utf-8")


# --- convolutions

SIZES = ((32, 3, 16, 32), (32, 16, 32, 32), (2, 3, 4, 12), (1, 8, 8, 16), (64, 8, 8, 8))
"""Batch, channels before and after, height and width."""


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_convolution_and_its_gradients_take_less_than_three_times_what_enters_and_leaves(
    size: tuple[int, int, int, int],
):
    for stride, dilation, padding in itertools.product((1, 2, 3), (1, 2), (0, 1, 2)):
        batch, channels, filters, width = size
        after = (width + 2 * padding - 2 * dilation - 1) // stride + 1
        subscripts = (
            f"{stride}*{place} + {dilation}*{offset} - {padding}" for place, offset in ("ru", "cv")
        )
        text = f"""
batch b
index o < {filters}, i < {channels}, r, c < {after}, u, v < 3
input x[b,i,y,z]
input t[b,o,r,c]
param K[o,i,u,v] = 0
for b,o,i,r,c,u,v: h[b,o,r,c] += K[o,i,u,v]*(x[b,i,{",".join(subscripts)}] else 0)
for b,o,r,c: loss[b] += t[b,o,r,c]*h[b,o,r,c]
minimize loss
"""
        made = emitted(text, {"x": (batch, channels, width, width)}, ("x",)).plan
        results = sum(prod(item.shape) for item in made.outputs) + batch * filters * after**2
        entering = sum(prod(item.shape) for item in made.inputs)
        assert made.peak < 3 * 4 * (entering + results), (stride, dilation, padding)
        assert f"peak                   {made.peak} bytes" in made.describe()


# --- recurrences


@pytest.mark.parametrize(
    ("name", "features"), [("rnn", 1), ("lstm", 1), ("gru", 2), ("bidirectional", 1)]
)
def test_a_recurrent_network_takes_memory_that_is_linear_in_its_rounds(name: str, features: int):
    text = re.sub(r"^input (\w+\[.*?\](?: in \w+)?) = .*$", r"input \1", course(name), flags=re.M)
    few, many = (emitted(text, shapes_of(text, rounds, features)).plan.peak for rounds in (64, 256))
    assert many < 4.05 * few


def shapes_of(text: str, rounds: int, features: int) -> Shapes:
    """A batch of eight sequences, and what is said of them."""
    sizes = {"b": 8, "t": rounds, "i": features, "d": features, "j": 3 if "j' < 3" in text else 2}
    found = re.findall(r"^input (\w+)\[(.*?)\]", text, flags=re.M)
    return {name: tuple(sizes[axis] for axis in axes.split(",")) for name, axes in found}


@pytest.mark.parametrize(
    ("name", "inside"), [("rnn", 1), ("lstm", 4), ("gru", 3), ("bidirectional", 2)]
)
def test_only_the_recurrence_itself_is_left_in_the_rounds(name: str, inside: int):
    """One product a gate for what comes from the round before, one for what goes back to it.

    What the inputs give, and all gradients of weights, are products for all rounds at once.
    """
    source = emitted(course(name), {}).source
    step = source[source.index("def step") :]
    products = re.findall(r"^( +)np\.matmul", step, flags=re.M)
    outside = min(map(len, products))
    assert sum(len(indent) > outside for indent in products) == 2 * inside
    params = course(name).count("\nparam ")
    assert sum(len(indent) == outside for indent in products) >= params


# --- beside PyTorch

BATCH, LENGTH, WIDTH, HEADS, HIDDEN, WORDS = 8, 64, 128, 4, 512, 256


def test_a_transformer_block_takes_less_than_twice_what_pytorch_takes():
    torch = pytest.importorskip("torch")
    head = WIDTH // HEADS
    text = course("transformer")
    for old, new in (
        (r"index t, t' < \d+", f"index t, t' < {LENGTH}"),
        (r"index i < \d+", f"index i < {WIDTH}"),
        (r"index a < \d+, d, e < \d+", f"index a < {HEADS}, d, e < {head}"),
        (r"index j < \d+, w < \d+", f"index j < {HIDDEN}, w < {WORDS}"),
        (r"(input \w+\[b,t\] in w) = .*", r"\1"),
    ):
        text, count = re.subn(old, new, text)
        assert count
    shapes = {"word": (BATCH, LENGTH), "target": (BATCH, LENGTH)}
    own = emitted(text, shapes).plan
    draws = np.random.default_rng(0)
    given = {
        item.name: torch.tensor(
            draws.integers(0, WORDS, item.shape)
            if item.integer
            else draws.normal(size=item.shape).astype(np.float32)
        )
        for item in own.inputs
    }
    for tensor in given.values():
        if tensor.is_floating_point():
            tensor.requires_grad_()
    step = torch_block(head)
    step(given)  # once, for what is allocated only the first time
    for tensor in given.values():
        tensor.grad = None
    peak = peak_of_torch(lambda: step(given))
    peak += sum(tensor.nbytes for tensor in given.values())
    assert own.peak < 2 * peak, (own.peak, peak)


def torch_block(head: int) -> Callable[[Mapping[str, object]], None]:
    import torch.nn.functional as F

    def heads(W, n):
        return F.linear(n, W.flatten(0, 1)).unflatten(2, W.shape[:2]).transpose(1, 2)

    def step(p) -> None:
        x = F.embedding(p["word"], p["E"]) + p["position"]
        n = F.layer_norm(x, (WIDTH,), p["γ0"], p["β0"])
        q, k, v = (heads(p[name], n) for name in ("Wq", "Wk", "Wv"))
        o = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=1 / sqrt(head))
        y = x + F.linear(o.transpose(1, 2).flatten(2), p["Wo"].flatten(1))
        m = F.layer_norm(y, (WIDTH,), p["γ1"], p["β1"])
        z = y + F.linear(F.gelu(F.linear(m, p["U"], p["bu"])), p["V"], p["bv"])
        F.cross_entropy((z @ p["E"].T).transpose(1, 2), p["target"]).backward()

    return step


def peak_of_torch(step: Callable[[], None]) -> int:
    """The most bytes that were allocated at once, by PyTorch's own record of allocations."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        step()
    events = record.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    return max(itertools.accumulate(size for _, size in changes))
