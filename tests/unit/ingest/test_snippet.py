"""What can be promised of the snippet without a browser."""

import re

from relance_ingest.http.form_pages import FOLDER

NEWER = r"\?\.(?!\d)|\?\?|(?:\|\||&&)=|catch \{|\.(?:at|flat|hasOwn|fromEntries|matchAll|replaceAll|allSettled)\("


def test_the_snippet_is_written_as_browsers_of_2018_read_it() -> None:
    """A browser that cannot read one word of it runs nothing of it."""
    assert re.findall(NEWER, (FOLDER / "snippet.js").read_text()) == []
