"""Phone numbers to E.164 and e-mail addresses to one spelling, so that one person is one person."""

import re

import phonenumbers
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

# What nearly everybody has, and the library leaves as it is: found in a tenth of its time.
_PLAIN_EMAIL = re.compile(
    r"(?=[^@]{1,64}@[^@]{1,63}$)"
    r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+(?P<last>[a-z]{2,})"
)

_OTHERWISE = {"UK": "GB"}
"""Codes that everybody uses, and that ISO 3166-1 has given to nobody."""


_EXTENSION = ";ext="


class NotReachable(ValueError):
    """The value is no phone number or no e-mail address; the sentence says why."""


def normal_phone(value: str, country: str | None) -> str:
    """The number in E.164, with its extension behind it if there is one, as RFC 3966 has it (`+12125550147;ext=5`).

    `country` (ISO 3166-1 alpha-2) is where a number without a country code is dialled.

    Raises:
        NotReachable: no such number can exist.
    """
    return _normal(_number(value, country))


def phone_and_country(value: str, country: str | None) -> tuple[str, str | None]:
    """`normal_phone` and its `phone_country`, read once.

    Raises:
        NotReachable: no such number can exist.
    """
    number = _number(value, country)
    return _normal(number), _country(number)


def number_and_extension(phone: str) -> tuple[str, str]:
    """Of a normal phone number: E.164, and the extension, which is empty if there is none."""
    number, _, extension = phone.partition(_EXTENSION)
    return number, extension


def phone_country(phone: str) -> str | None:
    """The country of a normal number; None for numbers of no country."""
    return _country(phonenumbers.parse(phone))


def known_country(code: str) -> str | None:
    """The ISO 3166-1 alpha-2 code of a country that has phone numbers; None when these letters are none."""
    country = _OTHERWISE.get(code.strip().upper(), code.strip().upper())
    return country if country in phonenumbers.SUPPORTED_REGIONS else None


def _number(value: str, country: str | None) -> phonenumbers.PhoneNumber:
    try:
        number = phonenumbers.parse(value, country)
    except phonenumbers.NumberParseException as error:
        hint = "" if country else " Write it with its country code, such as +49 30 1234567."
        raise NotReachable(f"This is no phone number: {error}{hint}") from error
    if not phonenumbers.is_valid_number(number):
        raise NotReachable("No such phone number exists: a digit is missing, or one is too many.")
    return number


def _normal(number: phonenumbers.PhoneNumber) -> str:
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    # Behind one switchboard are many people.
    return f"{e164}{_EXTENSION}{phonenumbers.normalize_digits_only(number.extension)}" if number.extension else e164


def _country(number: phonenumbers.PhoneNumber) -> str | None:
    region = phonenumbers.region_code_for_number(number)
    return region if region and region.isalpha() else None


def normal_email(value: str) -> str:
    """The address as RFC 5321 and IDNA would have it. Whether it receives mail is not asked of the network here.

    Raises:
        NotReachable: it is no address.
    """
    plain = _PLAIN_EMAIL.fullmatch(value)
    if plain and plain["last"] not in SPECIAL_USE_DOMAIN_NAMES:
        return value
    try:
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise NotReachable(str(error)) from error
