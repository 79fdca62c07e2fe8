"""Scorecards, both directions: what sales did with marketing's leads, and what these were worth.

In the order that data takes: facts and touches (events in), spend (money in), question (what is asked), figures (what
is counted), reader (out of the views), api, spend_api and csv_text (to whoever asked). docs/scorecards.md says what
figures mean.
"""
