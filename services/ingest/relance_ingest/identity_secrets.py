"""With which secrets people are named in the database: without one of them nobody would find whom it named."""

from sqlalchemy import text

from relance.database import Database
from relance.start_up import StartRefused
from relance_ingest.domain.pseudonyms import Pseudonyms

# Replicas that start together take turns, or each would find its own secret to be the first.
_LOCK = text("LOCK TABLE identity_secrets IN SHARE ROW EXCLUSIVE MODE")
_USED = text("SELECT fingerprint FROM identity_secrets")
_NOTE = text("INSERT INTO identity_secrets (fingerprint) VALUES (:fingerprint) ON CONFLICT DO NOTHING")


async def check(database: Database, pseudonyms: Pseudonyms) -> None:
    """Note that this secret names people from now on.

    Raises:
        StartRefused: people were named with one that is not known here.
    """
    known = {each.fingerprint() for each in pseudonyms.known()}
    async with database.transaction() as connection:
        await connection.execute(_LOCK)
        if not known.issuperset((await connection.execute(_USED)).scalars()):
            raise StartRefused(
                "Ingest does not start: people in its database were named with an identity secret that it was not "
                "given, so that an erasure or an export would not find them. Set RELANCE_IDENTITY_SECRET to the one "
                "from before. To change it, put the one from before into RELANCE_IDENTITY_SECRETS_PREVIOUS. If it is "
                "lost, docs/privacy.md says what is left to do."
            )
        await connection.execute(_NOTE, {"fingerprint": pseudonyms.fingerprint()})
