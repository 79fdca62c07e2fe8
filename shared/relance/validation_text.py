"""What may be said of a document that is not valid: which of our fields, and what kind of fault."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails


def validation_text(error: ValidationError) -> str:
    """Without what was in it, or what it called that."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return f"{error.title}: {', '.join(sorted({_fault(each) for each in faults}))}"


def _fault(fault: ErrorDetails) -> str:
    # Further parts of a place may be somebody's keys; a field that we do not have is one.
    ours = [str(part) for part in fault["loc"][:1] if fault["type"] != "extra_forbidden"]
    return " ".join([*ours, fault["type"]])
