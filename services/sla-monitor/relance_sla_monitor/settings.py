"""The SLA monitor's settings."""

from datetime import timedelta

from pydantic import Field, SecretStr

from relance.settings import ServiceSettings


class SlaMonitorSettings(ServiceSettings):
    """What the SLA monitor needs beyond what every service needs."""

    figures_every: timedelta = Field(
        timedelta(seconds=5), description="How often the figures that come from the database are counted anew."
    )
    operator_token: SecretStr = Field(
        min_length=32,
        description="Bearer token of operators, for scorecards, spend and the board; as the router has it.",
    )
