"""Rehearsal: the decisions that the router makes, made for leads of the past or made-up ones, without any part running.

The lines begin empty and nobody has a lead in hand. Pauses and reassignments of ignored leads are not rehearsed: who
ignores leads under rules that were never tried is not known.
"""

from relance_router.domain.simulation.comparison import Comparison, compare
from relance_router.domain.simulation.leads import SimulatedLead
from relance_router.domain.simulation.report import Report
from relance_router.domain.simulation.run import simulate

__all__ = ["Comparison", "Report", "SimulatedLead", "compare", "simulate"]
