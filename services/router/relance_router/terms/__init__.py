"""What was promised for assignments changes: by a configuration applied later (`applied.py`), or by hand."""
