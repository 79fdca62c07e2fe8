"""Grafana's dashboards, written by `python -m relance_local.dashboards` to deploy/grafana/dashboards.

panels.py has the kinds of panel, queries.py what is asked in more than one; a file for each dashboard.
"""
