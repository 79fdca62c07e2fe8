"""Names for people that tell nobody who they are, so that one person's leads find each other."""

import hashlib
import hmac
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Pseudonyms:
    """Pseudonyms made with a secret (HMAC-SHA256, RFC 2104).

    Without one they are plain hashes: whoever has one can find the phone number by trying them all. With another
    secret everybody has another name.
    """

    secret: bytes | None = field(default=None, repr=False)
    previous: tuple[bytes, ...] = field(default=(), repr=False)
    """Further secrets with which people have been named, or will be: they are found by those too."""

    def known(self) -> tuple["Pseudonyms", ...]:
        """All under which people may stand: also without a secret, because there may have been none when they came."""
        return (self, *(Pseudonyms(secret) for secret in self.previous), Pseudonyms())

    def fingerprint(self) -> str:
        """Tells one secret from another, and nothing of either."""
        return self._of("relance identity secret")

    def email(self, email: str) -> str:
        """Of a normalised address; upper and lower case are one person's."""
        return self._of(f"email:{email.casefold()}")

    def phone(self, phone: str) -> str:
        """Of a normal number: each extension is another's."""
        return self._of(f"phone:{phone}")

    def person_keys(self, email: str | None, phone: str | None) -> tuple[str, ...]:
        """Of all that is known, the address first. Both must be normalised."""
        return (*((self.email(email),) if email else ()), *((self.phone(phone),) if phone else ()))

    def of_nobody(self, lead: str) -> str:
        """For a lead of whom there is neither: such leads must not pass for one person's."""
        return self._of(f"lead:{lead}")

    def _of(self, who: str) -> str:
        if self.secret is None:
            return hashlib.sha256(who.encode()).hexdigest()[:32]
        return hmac.digest(self.secret, who.encode(), "sha256").hex()[:32]
