"""What makes a submission suspect: gathered here, judged in domain/suspicion.py, and what becomes of it (quarantine).

evidence (what a form sent beside the lead), form_tokens, captcha, repetitions (texts and tokens seen before), screening
(all of it), moving_windows and rate_limits (how much is taken at all), quarantine (what waits for a person).
"""
