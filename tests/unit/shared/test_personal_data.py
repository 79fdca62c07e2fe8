"""What sealing personal data promises."""

import json

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, TypeAdapter, ValidationError

from relance.personal_data import CannotOpen, PersonalData, PersonalDataKeys

OLD, NEW = (SecretStr(Fernet.generate_key().decode()) for _ in range(2))
PLAIN, SEALED, ROTATED, OTHER = (PersonalData(keys) for keys in ((), (OLD,), (NEW, OLD), (NEW,)))
ENDING = PersonalData((SecretStr(""), OLD))
WORDS = st.text(st.characters(exclude_categories=["Cs"])) | st.builds(
    "{}{}".format, st.sampled_from(["sealed:", "plain:"]), st.text(st.characters(exclude_categories=["Cs"]))
)
DOCUMENTS = st.dictionaries(WORDS, WORDS)
WAYS = st.sampled_from([PLAIN, SEALED, ROTATED, OTHER, ENDING])


@given(words=WORDS, way=WAYS)
def test_what_is_sealed_is_opened_as_it_was(words: str, way: PersonalData) -> None:
    """With and without keys, and also words that look like sealed ones."""
    assert way.open(way.seal(words)) == words


@given(document=DOCUMENTS, way=WAYS)
def test_a_document_is_opened_as_it_was(document: dict[str, str], way: PersonalData) -> None:
    """As it comes back from a jsonb column, and as text."""
    sealed = way.seal_document(json.dumps(document))
    assert way.open_document(json.loads(sealed)) == document
    assert json.loads(way.open_document_text(sealed)) == document


@given(words=WORDS)
def test_what_was_stored_before_is_read_after_switching_on_changing_keys_and_switching_off(words: str) -> None:
    """None needs a pause."""
    assert SEALED.open(PLAIN.seal(words)) == words
    assert ROTATED.open(SEALED.seal(words)) == words
    assert ENDING.open(SEALED.seal(words)) == words
    assert ENDING.seal(words) == PLAIN.seal(words)
    assert ROTATED.open_document(json.loads(SEALED.seal_document(json.dumps({"said": words})))) == {"said": words}


def test_the_first_key_seals() -> None:
    """Without the second one it is read too, and not with the second one alone."""
    assert OTHER.open(ROTATED.seal("Maria")) == "Maria"
    with pytest.raises(CannotOpen):
        SEALED.open(ROTATED.seal("Maria"))


@pytest.mark.parametrize("without", [OTHER, PLAIN])
def test_a_missing_key_is_said_with_what_to_do_and_without_data(without: PersonalData) -> None:
    """Whether there are other keys or none."""
    sealed = SEALED.seal("Maria")
    for opening in (lambda: without.open(sealed), lambda: without.open_document(sealed)):
        with pytest.raises(CannotOpen, match="RELANCE_PERSONAL_DATA_KEYS") as raised:
            opening()
        assert sealed.removeprefix("sealed:") not in str(raised.value)
        assert raised.value.__cause__ is None


def test_what_is_not_stored_as_it_would_be_today_is_known() -> None:
    """So that it can be sealed anew, or opened, however often somebody begins with it."""
    ways = (PLAIN, SEALED, ROTATED)
    assert [[way.is_current(stored.seal("Maria")) for stored in ways] for way in ways] == [
        [way is stored for stored in ways] for way in ways
    ]
    documents = [json.loads(stored.seal_document('{"name": "Maria"}')) for stored in ways]
    assert [[way.is_current(stored) for stored in documents] for way in ways] == [
        [way is stored for stored in ways] for way in ways
    ]


def test_nothing_can_be_read_from_what_is_sealed() -> None:
    """And the same words are sealed otherwise each time."""
    assert "Maria" not in SEALED.seal("Maria")
    assert SEALED.seal("Maria") != SEALED.seal("Maria")


def test_a_wrong_key_is_refused_with_its_place_and_without_itself() -> None:
    """It says how to make one."""
    with pytest.raises(ValidationError, match="key 2 is not 32 bytes") as raised:
        TypeAdapter(PersonalDataKeys).validate_python([OLD.get_secret_value(), "too-short"])
    assert "openssl" in raised.value.errors(include_input=False)[0]["msg"]
