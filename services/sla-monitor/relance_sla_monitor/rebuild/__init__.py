"""Recomputes every clock and scorecard from the topics, and puts the result in the place of what there was.

In the order that data takes: replay (messages into temporary tables, by the handler that the service has), tables
(these, and what takes the place of the service's own), rebuilding (the whole of it, and when it refuses), command.
"""
