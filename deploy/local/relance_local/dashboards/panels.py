"""The kinds of panel that our dashboards are made of, and how they become a dashboard."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    DynamicConfigValue,
    Panel,
    Threshold,
    ThresholdsMode,
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from typing_extensions import override

PanelBuilder: TypeAlias = Builder[Panel]

PROMETHEUS = DataSourceRef("prometheus", "relance-prometheus")
REPORTING = DataSourceRef("grafana-postgresql-datasource", "relance-reporting")

SHARE, SECONDS, PER_SECOND, COUNT = "percentunit", "s", "cps", "short"
"""Units, in Grafana's words."""


class SqlQuery(Dataquery):
    """A query of the reporting views, which the SDK has no model of."""

    def __init__(self, sql: str) -> None:
        self._sql = " ".join(sql.split())

    def to_json(self) -> dict[str, object]:
        """What the encoder writes."""
        return {
            "datasource": REPORTING,
            "editorMode": "code",
            "format": "table",
            "rawQuery": True,
            "rawSql": self._sql,
            "refId": "A",
        }


class _Sql(Builder[Dataquery]):
    def __init__(self, sql: str) -> None:
        self._query = SqlQuery(sql)

    @override
    def build(self) -> Dataquery:
        return self._query


def _asked(queries: Mapping[str, str], *, instant: bool = False) -> list[Builder[Dataquery]]:
    asked: list[Builder[Dataquery]] = []
    for number, (legend, expression) in enumerate(queries.items()):
        query = prometheus.Dataquery().expr(" ".join(expression.split())).legend_format(legend)
        query = query.ref_id(chr(ord("A") + number)).datasource(PROMETHEUS)
        asked.append(query.instant() if instant else query.range())
    return asked


def numbers(
    title: str,
    description: str,
    queries: Mapping[str, str],
    *,
    unit: str = COUNT,
    width: int = 6,
    turns: Sequence[tuple[float | None, str]] = ((None, "text"),),
) -> PanelBuilder:
    """Figures as they are now; `queries` by legend, `turns` from which value on a figure has which colour."""
    steps = [Threshold(value, colour) for value, colour in turns]
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .targets(_asked(queries, instant=True))
        .unit(unit)
        .span(width)
        .height(5)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.VALUE)
        .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    )


def series(
    title: str,
    description: str,
    queries: Mapping[str, str],
    *,
    unit: str = COUNT,
    width: int = 12,
    stacked: bool = False,
) -> PanelBuilder:
    """Figures over time; `queries` by legend."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .targets(_asked(queries))
        .unit(unit)
        .min(0)
        .span(width)
        .height(8)
        .fill_opacity(20 if stacked else 0)
        .legend(
            common.VizLegendOptions()
            .show_legend(show_legend=True)
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )
    return panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL)) if stacked else panel


def listing(
    title: str, description: str, sql: str, *, units: Mapping[str, str] | None = None, width: int = 24
) -> PanelBuilder:
    """Rows of the reporting views; `units` by column."""
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(REPORTING)
        .targets([_Sql(sql)])
        .span(width)
        .height(8)
    )
    for column, unit in (units or {}).items():
        panel = panel.override_by_name(column, [DynamicConfigValue("unit", unit)])
    return panel


def choice(label: str, name: str, query: str, datasource: DataSourceRef) -> Builder[VariableModel]:
    """A variable with the values that a query gives when the dashboard is opened; all of them at first."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(datasource)
        .query(query)
        .refresh(VariableRefresh.ON_DASHBOARD_LOAD)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def assembled(
    uid: str,
    title: str,
    description: str,
    rows: Mapping[str, Sequence[PanelBuilder]],
    *,
    since: str,
    variables: Sequence[Builder[VariableModel]] = (),
) -> Dashboard:
    """A dashboard of titled rows. `since` is how far back it looks at first, as Grafana says it (`now-6h`)."""
    board = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["relance"])
        .timezone("browser")
        .refresh("30s")
        .time(since, "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .variables(list(variables))
        .link(
            dashboard.DashboardLink("Relance")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["relance"])
            .as_dropdown(as_dropdown=True)
            .keep_time(keep_time=True)
        )
        .readonly()
    )
    for heading, panels in rows.items():
        board = board.with_row(dashboard.Row(heading))
        for panel in panels:
            board = board.with_panel(panel)
    made = board.build()
    for number, each in enumerate(made.panels or [], start=1):
        each.id_val = number
    return made
