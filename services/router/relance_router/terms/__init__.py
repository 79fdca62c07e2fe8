"""What was promised for assignments changes: by a configuration applied later (`applied.py`), by what becomes
known of the lead (`revised.py`), or by hand."""
