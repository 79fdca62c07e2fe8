"""Promises of the names that stand for people."""

from relance_ingest.domain.contact_details import normal_email
from relance_ingest.domain.pseudonyms import Pseudonyms

PHONE = "+493012345678"


def test_one_person_has_one_pseudonym_however_the_address_is_spelt() -> None:
    """Case of letters is no difference."""
    pseudonyms = Pseudonyms()
    assert pseudonyms.email(normal_email("Anna@EXAMPLE.com")) == pseudonyms.email(normal_email("anna@example.com"))
    assert pseudonyms.phone(PHONE) != pseudonyms.phone("+493012345679")


def test_a_person_is_known_by_all_that_was_given_the_address_first() -> None:
    """So that the next lead is recognised, whichever of both it brings."""
    pseudonyms = Pseudonyms()
    address, number = pseudonyms.email("anna@example.com"), pseudonyms.phone(PHONE)
    assert pseudonyms.person_keys("anna@example.com", PHONE) == (address, number)
    assert pseudonyms.person_keys(None, PHONE) == (number,)
    assert pseudonyms.person_keys(None, None) == ()


def test_who_does_not_know_the_secret_cannot_make_the_pseudonyms() -> None:
    """Trying every phone number leads nowhere; and the secret shows in no log."""
    keyed = Pseudonyms(b"a secret of this system, kept well")
    assert keyed.phone(PHONE) not in {Pseudonyms().phone(PHONE), Pseudonyms(b"another secret").phone(PHONE)}
    assert "kept well" not in repr(keyed)


def test_leads_of_nobody_are_not_one_persons() -> None:
    """Those that came with neither address nor number."""
    assert Pseudonyms().of_nobody("1") != Pseudonyms().of_nobody("2")
