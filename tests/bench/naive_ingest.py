"""The reference: an endpoint as it is commonly written. One ORM object, one session, one commit per request.

It writes the same row of ingest.leads. It does less: no key, no outbox, no phone numbers made one, no idempotency.
Run as a process: `naive_ingest DATABASE_URL PORT`.
"""

import hashlib
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI
from pydantic import BaseModel, EmailStr
from sqlalchemy import DateTime, LargeBinary
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class _Base(DeclarativeBase):
    pass


class Lead(_Base):
    """The row."""

    __tablename__ = "leads"
    __table_args__ = {"schema": "ingest"}  # noqa: RUF012 - as SQLAlchemy has it

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    source: Mapped[str]
    channel: Mapped[str]
    campaign: Mapped[str | None]
    idempotency_key: Mapped[str]
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)


class LeadIn(BaseModel):
    """The body."""

    name: str | None = None
    email: EmailStr
    phone: str | None = None
    company: str | None = None
    campaign: str | None = None
    fields: dict[str, str]


class LeadOut(BaseModel):
    """The answer."""

    lead_id: uuid.UUID


def application(database_url: str) -> FastAPI:
    """One endpoint."""
    sessions = async_sessionmaker(create_async_engine(database_url, pool_size=10), expire_on_commit=False)
    app = FastAPI()

    async def session() -> AsyncIterator[AsyncSession]:
        async with sessions() as opened:
            yield opened

    @app.post("/v1/leads", status_code=202)
    async def submit(lead: LeadIn, opened: Annotated[AsyncSession, Depends(session)]) -> LeadOut:
        lead_id, now = uuid.uuid4(), datetime.now(UTC)
        data = {"lead_id": str(lead_id), "received_at": now.isoformat(), "source": "website", "channel": "form"}
        stored = Lead(
            id=lead_id,
            source="website",
            channel="form",
            campaign=lead.campaign,
            idempotency_key=str(lead_id),
            fingerprint=hashlib.sha256(lead.model_dump_json().encode()).digest(),
            received_at=now,
            data=data | lead.model_dump(mode="json"),
        )
        opened.add(stored)
        await opened.commit()
        return LeadOut(lead_id=stored.id)

    return app


if __name__ == "__main__":
    uvicorn.run(application(sys.argv[1]), port=int(sys.argv[2]), log_config=None, access_log=False)
