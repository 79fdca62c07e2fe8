"""What the operator API takes and tells of configurations; the command line reads the same documents."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from relance.storable import STORABLE


def _number(value: object) -> object:
    # Pydantic takes true for 1 and "1" too, which the schema does not allow; strict mode refuses 1.0, which it does.
    if isinstance(value, bool | str):
        raise ValueError("a whole number is meant")
    return value


_Number = Annotated[int, BeforeValidator(_number)]
Comment = Annotated[str, Field(max_length=500), STORABLE]
Name = Annotated[str, Field(min_length=1, max_length=100), STORABLE]


class Version(BaseModel):
    """A version of the configuration, without its content."""

    model_config = ConfigDict(from_attributes=True)

    version: int
    sha256: str = Field(description="Of the content in UTF-8, in hexadecimal digits.")
    applied_at: datetime
    applied_by: str
    comment: str
    rolled_back_to: int | None = Field(description="The older version whose content this is, after a rollback.")
    switched_at: dict[str, dict[str, int]] = Field(
        description="By topic and partition the first offset that this version decided: every message below it was "
        "decided by the versions before. A partition that is missing: from 0."
    )


class VersionWithContent(Version):
    """A version of the configuration."""

    content: str = Field(description="routing.yaml, as it was applied.")


class History(BaseModel):
    """Versions, newest first."""

    versions: list[Version]
    before: int | None = Field(
        description="Give it as `before` to have the versions that follow; null: there are none."
    )


class _Change(BaseModel):
    model_config = ConfigDict(extra="forbid")

    expected_version: _Number = Field(
        ge=0,
        description="The version that runs as far as you know, 0 for none. When another one runs, nothing changes.",
    )
    applied_by: Name = Field(description="Who answers for it.")
    comment: Comment = ""


class NewConfiguration(_Change):
    """A configuration that is to run."""

    content: str = Field(description="routing.yaml.")


class Rollback(_Change):
    """The version whose content is to run again."""

    to: _Number = Field(ge=1)


class Content(BaseModel):
    """A configuration that is to be checked."""

    model_config = ConfigDict(extra="forbid")

    content: str = Field(description="routing.yaml.")


class Fault(BaseModel):
    """What is wrong, and in which line (1 for the first)."""

    line: int
    reason: str


class Verdict(BaseModel):
    """Every fault found; none: it could be applied."""

    faults: list[Fault]
