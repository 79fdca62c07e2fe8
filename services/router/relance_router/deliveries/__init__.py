"""Telling reps and managers, by their tool or by e-mail: intent stored, sent, outcome stored.

In the order of a delivery: announcements (what is to be told), notifications (stored, claimed), worker, couriers (which
way), wording and formats/ (in which words), sender and mailer (out), settling (what came of it), endpoint_health and
delivery_log (what is kept), records and api (what operators see).
"""
