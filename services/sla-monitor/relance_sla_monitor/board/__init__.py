"""The board: a live page of what is open, what breached, and how soon leads are answered.

In the order that data takes: reading (one query for all viewers), view and chart (what is shown, without I/O), live
(who is told of changes), routes (pages and the stream), behind access (links that operators make). No personal data: a
lead is named by the end of its id.
"""
