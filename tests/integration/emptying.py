"""Tables made empty again, where a test has many examples."""


def emptying(*tables: str) -> str:
    """Deletes all rows at once, whatever refers to what. TRUNCATE takes 70 times as long: it makes every file anew."""
    return f"WITH {', '.join(f'{table}_gone AS (DELETE FROM {table})' for table in tables)} SELECT"
