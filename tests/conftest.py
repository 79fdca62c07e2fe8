"""What every test shares: Hypothesis without deadlines, because machines here are shared and noisy."""

from hypothesis import settings

settings.register_profile("relance", deadline=None, print_blob=True)
settings.load_profile("relance")
