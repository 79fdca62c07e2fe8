"""Leads, declines and reassignment requests in; assignments out. One transaction per batch, one statement per table."""
