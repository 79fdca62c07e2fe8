"""The SLA monitor: a clock for every assignment, and what happens while it runs.

In the order that data takes: handler (assignments and answers in), clocks (the table), timers (steps fall due, events
out), figures (metrics), board/ (a live page). scorecards/ tells both sides what came of it, timeline what happened with
one lead; rebuild/ makes all of it anew from the topics. domain/ decides.
"""
