"""Reading partners' JSON, of which nothing is certain."""

import json
from collections.abc import Mapping
from typing import Any

from relance_ingest.partners.partner import Unreadable

_CASE = str.maketrans({" ": "_", "-": "_", "\u2019": "'"})
_AROUND = " \t\r\n?!.:*"
EMAIL = (
    "email", "e_mail", "work_email", "email_address", "e_mail_address", "user_email", "your_email", "other_email",
    "e_mail_adresse", "emailadresse", "indirizzo_e_mail", "indirizzo_email", "adresse_e_mail", "adresse_email",
    "correo_electrónico", "correo_electronico", "correo", "e_mailadres", "emailadres", "endereço_de_e_mail",
    "endereço_de_email",
)  # fmt: skip
PHONE = (
    "phone", "phone_number", "mobile", "mobilephone", "mobile_phone", "work_phone", "work_phone_number", "other_phone",
    "telefonnummer", "telefon", "handynummer", "mobilnummer", "numero_di_telefono", "telefono", "numéro_de_téléphone",
    "téléphone", "número_de_teléfono", "numero_de_telefono", "teléfono", "telefoonnummer", "telefoon",
    "número_de_telefone", "telefone", "número_de_telemóvel", "celular",
)  # fmt: skip
"""What an address and a number are called, as `plain` has it. Meta names a form's questions in the form's language."""
_NAME = (
    "full_name", "name", "fullname", "your_name", "what_is_your_name", "what's_your_name", "vollständiger_name",
    "nome_e_cognome", "nome_completo", "nom_complet", "prénom_et_nom", "nombre_completo", "nombre_y_apellidos",
    "volledige_naam", "naam",
)  # fmt: skip
_FIRST = ("first_name", "firstname", "your_first_name", "vorname", "nome", "prénom", "prenom", "nombre", "voornaam")
_LAST = (
    "last_name", "lastname", "your_last_name", "nachname", "cognome", "nom", "nom_de_famille", "apellido", "apellidos",
    "achternaam", "sobrenome", "apelido",
)  # fmt: skip
_COMPANY = (
    "company", "company_name", "name_des_unternehmens", "unternehmen", "firma", "nome_dell'azienda", "azienda",
    "nom_de_l'entreprise", "entreprise", "nombre_de_la_empresa", "nome_da_empresa", "empresa", "bedrijfsnaam",
)  # fmt: skip
_COUNTRY = ("country", "country_code")
_CAMPAIGN = ("utm_campaign", "campaign", "campaign_name")


def json_object(body: bytes) -> dict[str, Any]:
    """The body, which must be a JSON object.

    Raises:
        Unreadable: it is none.
    """
    found = json_value(body)
    if not isinstance(found, dict):
        raise Unreadable("The body is not a JSON object.")
    return found


def json_value(body: bytes) -> Any:  # noqa: ANN401 - whatever it is, its reader must look
    """The body as JSON.

    Raises:
        Unreadable: it is none.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable("The body is not valid JSON.") from error


def objects(value: object) -> list[dict[str, Any]]:
    """The objects of a list; none for what is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def an_object(value: object) -> dict[str, Any]:
    """The object; an empty one for what is none."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    """A scalar as text; empty for null, and for objects and lists, which no rule could read."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""


def texts(values: Mapping[str, object]) -> dict[str, str]:
    """What there is of these, as text."""
    return {name: found for name, value in values.items() if (found := text(value).strip())}


def plain(name: str) -> str:
    """The name of a question, however it is spelt and punctuated."""
    return name.strip(_AROUND).casefold().translate(_CASE)


def person(answers: Mapping[str, str], *, email: str | None = None, phone: str | None = None) -> dict[str, Any]:
    """What forms everywhere ask, by the names that they give it; in the words of `PartnerLead`.

    `email` and `phone` are known otherwise, if at all, and not looked for then.
    Every answer stays in `fields` too, unless it became the contact: what somebody wrote is not thrown away.
    """
    by_name = {plain(name): (name, value) for name, value in answers.items() if value.strip()}
    used: set[str] = set()

    def first(names: tuple[str, ...], *, keep: bool = False) -> str | None:
        for known in names:
            if known in by_name:
                name, value = by_name[known]
                if not keep:
                    used.add(name)
                return value
        return None

    found = {
        "name": first(_NAME) or " ".join(filter(None, [first(_FIRST), first(_LAST)])) or None,
        "email": email or first(EMAIL),
        "phone": phone or first(PHONE),
        "company": first(_COMPANY),
        "country": first(_COUNTRY, keep=True),
        "campaign": first(_CAMPAIGN, keep=True),
    }
    return {**found, "fields": {name: value for name, value in answers.items() if name not in used and value.strip()}}
