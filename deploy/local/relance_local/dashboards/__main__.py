"""Writes every dashboard."""

from relance_local.dashboards.written import FOLDER, written

if __name__ == "__main__":
    for name, text in written().items():
        (FOLDER / name).write_text(text)
