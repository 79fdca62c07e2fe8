"""Phone numbers to E.164 and e-mail addresses to one spelling, so that one person is one person."""

import hashlib

import phonenumbers
from email_validator import EmailNotValidError, validate_email


class NotReachable(ValueError):
    """The value is no phone number or no e-mail address; the sentence says why."""


def normal_phone(value: str, country: str | None) -> str:
    """The number in E.164. `country` (ISO 3166-1 alpha-2) is where a number without a country code is dialled.

    Raises:
        NotReachable: no such number can exist.
    """
    try:
        number = phonenumbers.parse(value, country)
    except phonenumbers.NumberParseException as error:
        hint = "" if country else " Write it with its country code, such as +49 30 1234567."
        raise NotReachable(f"This is no phone number: {error}{hint}") from error
    if not phonenumbers.is_valid_number(number):
        raise NotReachable("No such phone number exists: a digit is missing, or one is too many.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def phone_country(phone: str) -> str | None:
    """The country of an E.164 number; None for numbers of no country."""
    region = phonenumbers.region_code_for_number(phonenumbers.parse(phone))
    return region if region and region.isalpha() else None


def normal_email(value: str) -> str:
    """The address as RFC 5321 and IDNA would have it. Whether it receives mail is not asked of the network here.

    Raises:
        NotReachable: it is no address.
    """
    try:
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise NotReachable(str(error)) from error


def identity_key(email: str | None, phone: str | None) -> str:
    """A pseudonym for the person: by e-mail address when there is one, else by phone. Both must be normalised."""
    who = f"email:{email.casefold()}" if email else f"phone:{phone}"
    return hashlib.sha256(who.encode()).hexdigest()[:32]
