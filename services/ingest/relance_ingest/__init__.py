"""Ingest: leads and calls in from web forms; accepted durably; told to the router.

In the order that data takes: sources (who may send), http/ (what arrives), domain/ (what it means), acceptance/
(committed before it is answered).
"""
