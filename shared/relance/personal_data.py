"""Personal data sealed at rest (Fernet: AES-128 in CBC mode with HMAC-SHA256), with keys that can be changed.

The first key seals, every key opens. Without keys everything is stored as it is. What was stored before is read either
way, so that switching on, changing keys and switching off need no pause.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import AfterValidator, Field, SecretStr

from relance.settings import ServiceSettings

_SEALED = "sealed:"
_PLAIN = "plain:"
"""Stands before plain words that would be taken for something else."""

Stored = dict[str, Any] | str
"""What a column holds, as the driver reads it: text, or jsonb, which is an object, or a string when it is sealed."""


class CannotOpen(RuntimeError):
    """Personal data is sealed with a key that this service was not given."""

    def __init__(self) -> None:
        super().__init__(
            "Personal data is sealed with a key that is not in RELANCE_PERSONAL_DATA_KEYS. Put the keys from before "
            "there, behind the present one, at least until `encrypt` has sealed everything anew (docs/privacy.md)."
        )


class PersonalData:
    """Seals what is written into columns of personal data, and opens what is read from them."""

    def __init__(self, keys: Sequence[SecretStr] = ()) -> None:
        """Each key is one of Fernet's: 32 bytes in URL-safe base64. An empty first one seals nothing, to switch off."""
        fernets = [Fernet(key.get_secret_value()) for key in keys if key.get_secret_value()]
        self._first = fernets[0] if fernets and keys[0].get_secret_value() else None
        self._any = MultiFernet(fernets) if fernets else None

    def seal(self, words: str) -> str:
        """For a text column."""
        if self._first:
            return _SEALED + self._first.encrypt(words.encode()).decode()
        return _PLAIN + words if words.startswith((_SEALED, _PLAIN)) else words

    def open(self, stored: str) -> str:
        """What a text column says.

        Raises:
            CannotOpen: none of the keys fits.
        """
        if not stored.startswith(_SEALED):
            return stored.removeprefix(_PLAIN)
        if self._any is None:
            raise CannotOpen
        try:
            return self._any.decrypt(stored.removeprefix(_SEALED)).decode()
        except InvalidToken:
            raise CannotOpen from None

    def seal_document(self, document: str) -> str:
        """For a jsonb column: the JSON text of an object becomes, when sealed, the JSON text of a string."""
        return json.dumps(self.seal(document)) if self._first else document

    def open_document_text(self, stored: str) -> str:
        """The other way: the JSON text of the object.

        Raises:
            CannotOpen: none of the keys fits.
        """
        return self.open(json.loads(stored)) if stored.startswith('"') else stored

    def open_document(self, stored: Stored) -> dict[str, Any]:
        """The object that a jsonb column holds.

        Raises:
            CannotOpen: none of the keys fits.
        """
        if isinstance(stored, dict):
            return stored
        document: dict[str, Any] = json.loads(self.open(stored))
        return document

    def open_json(self, stored: str) -> Any:  # noqa: ANN401 - any JSON
        """The value of any jsonb column, opened when it is sealed.

        Raises:
            CannotOpen: none of the keys fits.
        """
        value = json.loads(stored)
        return json.loads(self.open(value)) if isinstance(value, str) and value.startswith(_SEALED) else value

    def is_current(self, stored: Stored) -> bool:
        """Whether it is stored as it would be today: sealed with the first key, or plain when there is none."""
        if isinstance(stored, dict) or not stored.startswith(_SEALED):
            return self._first is None
        if self._first is None:
            return False
        try:
            self._first.decrypt(stored.removeprefix(_SEALED))
        except InvalidToken:
            return False
        return True


def _are_keys(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    for place, key in enumerate(keys, start=1):
        if place == 1 and not key.get_secret_value():
            continue
        try:
            Fernet(key.get_secret_value())
        except ValueError:
            raise ValueError(
                f"key {place} is not 32 bytes in URL-safe base64; `openssl rand -base64 32 | tr +/ -_` makes one"
            ) from None
    return keys


PersonalDataKeys = Annotated[tuple[SecretStr, ...], AfterValidator(_are_keys)]


class PersonalDataSettings(ServiceSettings):
    """Settings of a service that holds personal data."""

    personal_data_keys: PersonalDataKeys = Field(
        (),
        description="Keys that seal personal data in the database, as a JSON list: the first seals (an empty one "
        "nothing), each opens. `openssl rand -base64 32 | tr +/ -_` makes one. None: stored as it is. "
        "docs/privacy.md says how to change them.",
    )
