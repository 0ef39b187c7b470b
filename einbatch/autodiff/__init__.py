"""Differentiation: program → program, statement by statement, by table."""

from einbatch.autodiff.differentiate import differentiate

__all__ = ["differentiate"]
