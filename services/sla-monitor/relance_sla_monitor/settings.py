"""The SLA monitor's settings."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from pydantic import AnyHttpUrl, Field, PositiveInt, SecretStr

from relance.settings import ServiceSettings


class SlaMonitorSettings(ServiceSettings):
    """What the SLA monitor needs beyond what every service needs."""

    figures_every: timedelta = Field(
        timedelta(seconds=5),
        gt=timedelta(),
        description="How often the figures that come from the database are counted anew.",
    )
    reports_pool_size: PositiveInt = Field(
        3, description="Further connections, for scorecards, spend, timelines and exports: so many are read at once."
    )
    reports_timeout: timedelta = Field(
        timedelta(seconds=30),
        gt=timedelta(),
        description="How long one of them may take, and wait for a connection, before it is answered 503.",
    )
    board_secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="Key that signs board links; none: there is no board. Changing it makes every link worthless.",
    )
    board_url: AnyHttpUrl = Field(
        AnyHttpUrl("http://localhost:8082"), description="Where browsers reach this service, for board links."
    )
    board_zone: ZoneInfo = Field(
        ZoneInfo("UTC"), description="The board's time zone: its day begins at midnight there, as in `Europe/Berlin`."
    )
    board_viewers: PositiveInt = Field(
        100, description="Boards that one process keeps up to date at once; above it the answer is 503."
    )
    operator_token: SecretStr = Field(
        min_length=32,
        description="Bearer token of operators, for scorecards, spend and the board; as the router has it.",
    )
    reports_token: SecretStr | None = Field(
        None,
        min_length=32,
        description="Bearer token of marketing and sales: it opens scorecards, spend and single leads' clocks, "
        "and changes nothing. None: operators alone read them.",
    )
