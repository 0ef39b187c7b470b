"""NumPy: a plan as a readable module, and that module as a function."""

from einbatch.backends.numpy.emit import emit
from einbatch.backends.numpy.runner import Runner, load

__all__ = ["Runner", "emit", "load"]
