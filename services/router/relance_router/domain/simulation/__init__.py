"""Rehearsal: the decisions that the router makes, made for leads of the past or made-up ones, without any part running.

The lines begin empty and nobody has a lead in hand. An offered lead is claimed at once, by anybody. Pauses, and
reassignments of ignored leads, are not rehearsed: who ignores leads under rules that were never tried is not known.
"""

from relance_router.domain.simulation.comparison import Comparison, Difference, JoinDifference, compare
from relance_router.domain.simulation.generated import generate
from relance_router.domain.simulation.leads import SimulatedLead, of_the_past
from relance_router.domain.simulation.report import Given, Holds, Report, RepShare
from relance_router.domain.simulation.run import simulate

__all__ = [
    "Comparison",
    "Difference",
    "Given",
    "Holds",
    "JoinDifference",
    "RepShare",
    "Report",
    "SimulatedLead",
    "compare",
    "generate",
    "of_the_past",
    "simulate",
]
