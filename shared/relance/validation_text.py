"""What may be said of a document that is not valid: which of our fields, and what kind of fault."""

from pydantic import ValidationError


def validation_text(error: ValidationError) -> str:
    """Without what was in it: only the first part of a place is surely a name of ours, and not somebody's key."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    places = {f"{fault['loc'][0] if fault['loc'] else 'all'} {fault['type']}" for fault in faults}
    return f"{error.title}: {', '.join(sorted(places))}"
