"""Partners' secrets, which stand in the environment and in no file of ours."""

import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from relance_ingest.sources.partners import MetaPartner, PartnerSource
from relance_ingest.sources.source import Source
from relance_ingest.sources.sources import SourcesRefused


@dataclass(frozen=True)
class Credentials:
    """What one source's partner is known by, and what it knows us by."""

    secrets: tuple[str, ...] = field(repr=False)
    verify_tokens: tuple[str, ...] = field(default=(), repr=False)
    access_tokens: tuple[str, ...] = field(default=(), repr=False)


def credentials(sources: Iterable[Source], environment: Mapping[str, str]) -> dict[str, Credentials]:
    """By source id, of those that are partners'.

    Raises:
        SourcesRefused: names every variable that is not set, or holds what cannot be a secret, and its source.
    """
    partners = [(source.id, source.partner) for source in sources if source.partner]
    faults = [
        f"source {name!r}: environment variable {variable} {fault}"
        for name, partner in partners
        for variable in _variables(partner)
        if (fault := _fault(partner, environment.get(variable)))
    ]
    if faults:
        raise SourcesRefused("; ".join(faults) + ". Set it to what the partner was given (see docs/partners.md).")
    return {name: _credentials(partner, environment) for name, partner in partners}


def _variables(partner: PartnerSource) -> tuple[str, ...]:
    more = (*partner.verify_token_from, *partner.access_token_from) if isinstance(partner, MetaPartner) else ()
    return (*partner.secret_from, *more)


def _fault(partner: PartnerSource, value: str | None) -> str | None:
    if not value:
        return "is not set"
    if partner.kind == "standard_webhooks":
        try:
            Webhook(value)
        except (binascii.Error, ValueError, EmptyWebhookSecretError):
            return "is not base64, as a secret of Standard Webhooks is"
    return None


def _credentials(partner: PartnerSource, environment: Mapping[str, str]) -> Credentials:
    def values(variables: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(environment[variable] for variable in variables)

    if isinstance(partner, MetaPartner):
        return Credentials(
            values(partner.secret_from), values(partner.verify_token_from), values(partner.access_token_from)
        )
    return Credentials(values(partner.secret_from))
