"""From a program to a plan: which array operations, in which order, in which memory."""

from einbatch.plan.allowance import allowance, check_tensors
from einbatch.plan.plan import Operand, Plan, plan

__all__ = ["Operand", "Plan", "allowance", "check_tensors", "plan"]
