"""What every benchmark shares: contenders in processes of their own, and their times."""

from benchmarks.harness.main import main
from benchmarks.harness.suite import Array, Contender, Running, Skipped, Suite

__all__ = ["Array", "Contender", "Running", "Skipped", "Suite", "main"]
