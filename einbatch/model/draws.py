"""What whoever runs a program gives without being asked: random draws, and `training`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from einbatch.ir import Program
from einbatch.ir.program import Dtype
from einbatch.model.arrays import Array
from einbatch.model.initial import Initial

TRAINING = "training"


@dataclass(frozen=True, slots=True)
class Moment:
    """When a program runs: the seed of its draws, the number of the update, or outside training."""

    seed: int = 0
    step: int = 0
    training: bool = False


EVALUATION = Moment()


def drawn(
    program: Program, extents: Mapping[str, int], dtype: Dtype, moment: Moment
) -> dict[str, Array]:
    """The draws of a program by name, and `training` as 1 or 0 where it is read.

    Each is drawn in double precision by a counter-based generator, keyed by the
    seed, the tensor's name and the number of the update, and cast.
    """
    found: dict[str, Array] = {}
    initial = Initial(program, extents, moment.seed, dtype, moment.step)
    for tensor in program.of_kind("draw"):
        if tensor.initial is None:
            found[tensor.name] = np.asarray(moment.training, dtype)
        else:
            found[tensor.name] = initial.array(tensor)
    return found
