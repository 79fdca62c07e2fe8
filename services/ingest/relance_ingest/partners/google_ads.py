"""Google Ads lead forms. Nothing is signed: the request carries the key that the advertiser gave the form."""

from collections.abc import Sequence

from relance_ingest.partners.documents import json_object, objects, person, text, texts
from relance_ingest.partners.partner import Ignored, PartnerLead, ReceivedRequest, Told, Unreadable, WrongSignature
from relance_ingest.partners.signatures import must_match

_IDS = ("form_id", "campaign_id", "adgroup_id", "creative_id", "asset_group_id", "lead_source", "lead_submit_time")


def verify(request: ReceivedRequest, secrets: Sequence[str]) -> None:
    """`secrets` are keys of the form's webhook."""
    try:
        given = text(json_object(request.body).get("google_key"))
    except Unreadable as error:
        raise WrongSignature("missing") from error
    if not given:
        raise WrongSignature("missing")
    must_match([given], secrets)


def read(request: ReceivedRequest) -> Sequence[Told]:
    """One lead; Google's «send test data» is none."""
    said = json_object(request.body)
    if said.get("is_test") is True:
        return [Ignored("test")]
    lead_id = text(said.get("lead_id"))
    if not lead_id:
        raise Unreadable("There is no lead_id.")
    answers = {
        (text(column.get("column_id")) or text(column.get("column_name"))).lower(): text(column.get("string_value"))
        for column in objects(said.get("user_column_data"))
    }
    campaign = {"campaign": text(said.get("campaign_id"))}
    ids = texts({"gclid": said.get("gcl_id"), **{name: said.get(name) for name in _IDS}})
    found = person(campaign | answers)
    fields = {name: value for name, value in found.pop("fields").items() if name != "campaign"}
    return [PartnerLead(key=f"google:{lead_id}", **found, fields=fields | ids)]
