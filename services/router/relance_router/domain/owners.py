"""Whose a lead is before anybody's turn: the owner of its account, or the rep who knows the person or the company."""

from dataclasses import dataclass, field

from relance_router.domain.configuration import Configuration
from relance_router.domain.lead_facts import LeadFacts

# No company stands behind these: their users share nothing but a provider.
_PUBLIC = frozenset(
    """
    163.com aol.com fastmail.com freenet.de gmail.com gmx.at gmx.ch gmx.de gmx.net googlemail.com hotmail.com hotmail.de
    hotmail.fr icloud.com laposte.net libero.it live.com mac.com mail.com mail.ru me.com msn.com orange.fr outlook.com
    outlook.de posteo.de proton.me protonmail.com qq.com t-online.de web.de yahoo.co.uk yahoo.com yahoo.de yahoo.fr
    yandex.ru zoho.com
    """.split()  # noqa: SIM905 - names to read, not a list to look at
)


@dataclass(frozen=True)
class KnownOwner:
    """A rep who comes before anybody's turn, while available, and why."""

    rep: str
    because: str


@dataclass(frozen=True)
class LastOwners:
    """Who had the newest lead of a person (by identity) and of a company (by domain), as far back as is asked for."""

    of_person: dict[str, str] = field(default_factory=dict)
    of_company: dict[str, str] = field(default_factory=dict)


def company_domain(configuration: Configuration, lead: LeadFacts) -> str | None:
    """The mail domain by which a lead's company is known; None when it is everybody's."""
    domain = lead.fields.get("email_domain", "").casefold()
    stickiness = configuration.stickiness
    public = domain in _PUBLIC or (stickiness is not None and domain in stickiness.public_domains)
    return None if public or not domain else domain


def known_owners(configuration: Configuration, lead: LeadFacts, last: LastOwners) -> tuple[KnownOwner, ...]:
    """The lead's known owners, the one to be preferred first, each rep once."""
    if not configuration.accounts and configuration.stickiness is None:
        return ()
    domain = lead.fields.get("email_domain", "").casefold()
    account = configuration.account_of(domain) if domain else None
    found = [KnownOwner(account.owner, f"the named owner of account {account.id}")] if account else []
    company = company_domain(configuration, lead)
    for by in configuration.stickiness.by if configuration.stickiness else ():
        if by == "person" and (rep := last.of_person.get(lead.identity)):
            found.append(KnownOwner(rep, "had this person's last lead"))
        if by == "company" and company and (rep := last.of_company.get(company)):
            found.append(KnownOwner(rep, f"had the last lead from {company}"))
    return tuple({owner.rep: owner for owner in reversed(found)}.values())[::-1]
