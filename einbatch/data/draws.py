"""Random numbers that depend on a seed and a name, and on nothing else."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, name: str, counter: int = 0) -> np.random.Generator:
    """A generator of its own for each seed, name and counter.

    Philox (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011)
    maps a key and a counter to bits. The key is made from seed and name, so one
    more parameter in a program leaves the draws of all others as they are;
    `counter` (an epoch, a step) starts 2^192 blocks apart.
    """
    digest = hashlib.sha256(f"{seed}:{name}".encode("utf-8", "surrogatepass")).digest()
    key = int.from_bytes(digest[:16], "little")
    return np.random.Generator(np.random.Philox(key=key, counter=counter << 192))
