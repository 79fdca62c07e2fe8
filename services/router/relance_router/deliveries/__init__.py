"""Telling reps and managers by webhook, as Standard Webhooks says: intent stored, sent, outcome stored."""
