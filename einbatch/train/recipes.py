"""The built-in optimizers: their statements for one param, and their settings.

In a recipe `T` is the param and `i` stands for all of its axes; `g` is the text of the
gradient that the optimizer uses: `T.grad[i]`, or what clipping and weight decay make of
it. A setting that is 0 leaves no trace. Definitions and defaults are PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Has = Callable[[str], bool]
"""Tells whether a setting may be other than 0."""


@dataclass(frozen=True, slots=True)
class Optimizer:
    """Settings with their defaults (None: it has to be given), and the recipe.

    `flags` are settings that are 0 or 1, and choose between recipes. With `couples`,
    weight decay is a part of the gradient, else the recipe says what becomes of it.
    """

    settings: Mapping[str, str | None]
    recipe: Callable[[Has, str], str]
    flags: tuple[str, ...] = ()
    couples: bool = True


CLIPPING: dict[str, str | None] = {"clip_value": "0", "clip_norm": "0"}
"""What every optimizer can do to the gradients first; 0 leaves them as they are."""

PLAIN = "T.grad[i]"
# Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks",
# 2013, algorithm 1; the 1e-6 is PyTorch's.
SHORTER = "clip = min(1, clip_norm/(sqrt(clip_square) + 1e-6))"
"""Stands once, behind a sum of squares over all params."""


def clipped(has: Has) -> str:
    """The gradient, each element of it clipped where that is asked for."""
    return f"clamp({PLAIN}, -clip_value, clip_value)" if has("clip_value") else PLAIN


def gradient(has: Has, *, couples: bool, ascends: bool) -> str:
    """The gradient that the optimizer uses; where nothing is made of it, just `T.grad[i]`.

    Going up is going down the gradient of other sign; weights decay in any case.
    """
    used = f"clip*{clipped(has)}" if has("clip_norm") else clipped(has)
    decays = couples and has("weight_decay")
    if ascends and (decays or used != PLAIN):
        used = f"-{used}"
    return f"{used} + weight_decay*T[i]" if decays else used


def _sgd(has: Has, g: str) -> str:
    """Polyak 1964; Nesterov's variant as in Sutskever et al., ICML 2013."""
    if not has("momentum"):
        return f"for i: T[i] -= lr*{g}"
    along = f"({g} + momentum*velocity[i])" if has("nesterov") else "velocity[i]"
    return f"""
state velocity[i] = 0
for i: velocity[i] = momentum*velocity[i] + {g}
for i: T[i] -= lr*{along}
"""


def _adam(has: Has, g: str) -> str:
    """Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1."""
    return f"""
state moment1[i] = 0
state moment2[i] = 0
for i: moment1[i] = beta1*moment1[i] + (1 - beta1)*{g}
for i: moment2[i] = beta2*moment2[i] + (1 - beta2)*{g}^2
for i: T[i] -= lr*(moment1[i]/(1 - beta1^step))/(sqrt(moment2[i]/(1 - beta2^step)) + eps)
"""


def _adamw(has: Has, g: str) -> str:
    """Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2."""
    decay = "for i: T[i] *= 1 - lr*weight_decay" if has("weight_decay") else ""
    return decay + _adam(has, g)


def _rmsprop(has: Has, g: str) -> str:
    """Tieleman and Hinton, lecture 6.5, 2012; centered as in Graves 2013, equations 38 to 45."""
    centered, moves = has("centered"), has("momentum")
    spread = "sqrt(max(square[i] - average[i]^2, 0))" if centered else "sqrt(square[i])"
    lines = (
        (True, "state square[i] = 0"),
        (centered, "state average[i] = 0"),
        (moves, "state velocity[i] = 0"),
        (True, f"for i: square[i] = alpha*square[i] + (1 - alpha)*{g}^2"),
        (centered, f"for i: average[i] = alpha*average[i] + (1 - alpha)*{g}"),
        (moves, f"for i: velocity[i] = momentum*velocity[i] + {g}/({spread} + eps)"),
        (moves, "for i: T[i] -= lr*velocity[i]"),
        (not moves, f"for i: T[i] -= lr*{g}/({spread} + eps)"),
    )
    return "\n".join(line for needed, line in lines if needed)


def _adagrad(has: Has, g: str) -> str:
    """Duchi, Hazan and Singer, "Adaptive subgradient methods", JMLR 2011, with a diagonal."""
    rate = "lr/(1 + (step - 1)*lr_decay)" if has("lr_decay") else "lr"
    return f"""
state square[i] = 0
for i: square[i] += {g}^2
for i: T[i] -= {rate}*{g}/(sqrt(square[i]) + eps)
"""


_MOMENTS: dict[str, str | None] = {"lr": "0.001", "beta1": "0.9", "beta2": "0.999", "eps": "1e-8"}
OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Optimizer(
        {"lr": None, "momentum": "0", "nesterov": "0", "weight_decay": "0", **CLIPPING},
        _sgd,
        flags=("nesterov",),
    ),
    "adam": Optimizer({**_MOMENTS, "weight_decay": "0", **CLIPPING}, _adam),
    "adamw": Optimizer({**_MOMENTS, "weight_decay": "0.01", **CLIPPING}, _adamw, couples=False),
    "rmsprop": Optimizer(
        {
            "lr": "0.01",
            "alpha": "0.99",
            "eps": "1e-8",
            "weight_decay": "0",
            "momentum": "0",
            "centered": "0",
            **CLIPPING,
        },
        _rmsprop,
        flags=("centered",),
    ),
    "adagrad": Optimizer(
        {"lr": "0.01", "lr_decay": "0", "eps": "1e-10", "weight_decay": "0", **CLIPPING},
        _adagrad,
    ),
}

SETTINGS = frozenset(name for optimizer in OPTIMIZERS.values() for name in optimizer.settings)
"""Every name that some optimizer has a setting of."""
