"""Differentiation: program → program, statement by statement, by table."""

from einbatch.autodiff.objectives import differentiate, split_objectives

__all__ = ["differentiate", "split_objectives"]
