"""Reading the versions that were applied."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance_router.configuration.documents import History, Version, VersionWithContent

_PAGE = text("""
    SELECT version, sha256, applied_at, applied_by, comment, rolled_back_to, switched_at FROM configurations
    WHERE CAST(:before AS integer) IS NULL OR version < CAST(:before AS integer)
    ORDER BY version DESC LIMIT :limit
""")
_ONE = text("""
    SELECT * FROM configurations
    WHERE version = coalesce(CAST(:version AS integer), (SELECT max(version) FROM configurations))
""")


async def read_history(connection: AsyncConnection, *, before: int | None, limit: int) -> History:
    """At most `limit` versions below `before`, newest first."""
    rows = await connection.execute(_PAGE, {"before": before, "limit": limit + 1})
    versions = [Version.model_validate(row) for row in rows]
    page = versions[:limit]
    return History(versions=page, before=page[-1].version if len(versions) > limit else None)


async def read_version(connection: AsyncConnection, version: int | None) -> VersionWithContent | None:
    """A version with its content; None asks for the newest. None when there is none."""
    row = (await connection.execute(_ONE, {"version": version})).one_or_none()
    return None if row is None else VersionWithContent.model_validate(row)
