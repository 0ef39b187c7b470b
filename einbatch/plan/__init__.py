"""From a program to a plan: which array operations, in which order, in which memory."""

from einbatch.plan.allowance import allowance, check_tensors
from einbatch.plan.make_plan import plan
from einbatch.plan.passes import PASSES
from einbatch.plan.plan import Operand, Plan

__all__ = ["PASSES", "Operand", "Plan", "allowance", "check_tensors", "plan"]
