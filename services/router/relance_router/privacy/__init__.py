"""Leads whose person is to be forgotten are erased; what is held of leads is exported, and sealed anew."""
