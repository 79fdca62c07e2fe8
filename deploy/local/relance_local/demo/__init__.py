"""The demo: simulated web forms and reps around the real system.

scenario (who works where), people (who submits), web_forms (how they do), reps (how leads are answered), books (what
the reporting views say), show (all of it, live).
"""
