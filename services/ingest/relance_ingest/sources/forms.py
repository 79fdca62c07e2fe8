"""How a source's web forms are taken: `forms` of sources.yaml. Without it a form needs the source's key."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ByteSize, ConfigDict, Field, StringConstraints

from relance_ingest.domain.field_mapping import FieldMapping, Target
from relance_ingest.domain.origins import ANY, listed_origin

Origin = Annotated[str, AfterValidator(listed_origin)]
FormField = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Forms(BaseModel):
    """Whose pages may send, and what their fields are called."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    origins: frozenset[Origin] = Field(
        frozenset(),
        description="Sites whose pages may send this form, such as https://www.example.com, without a key; "
        f"every other site may not. '{ANY}' is every site.",
    )
    fields: dict[Target, Annotated[tuple[FormField, ...], BeforeValidator(_as_list), Field(min_length=1)]] = Field(
        default_factory=dict,
        description="What the form calls a lead's field: the first of these that is filled in; a name is all of them.",
    )
    ignore: frozenset[FormField] = Field(frozenset(), description="Fields of the form that are not kept.")
    files: Literal["refuse", "ignore"] = Field(
        "refuse", description="ignore: a file is dropped, and its name kept as the field's text."
    )
    body_limit: ByteSize | None = Field(
        None, gt=0, description="Bytes of one form at most, with its files; RELANCE_HTTP_BODY_LIMIT otherwise."
    )

    @property
    def mapping(self) -> FieldMapping:
        """For the decision."""
        return FieldMapping(self.fields, self.ignore)
