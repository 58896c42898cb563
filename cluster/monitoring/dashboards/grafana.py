"""Dashboards in Grafana's own JSON, by its SDK: what is no valid dashboard is not made."""

from itertools import count
from typing import Final

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from cluster.monitoring.dashboards.board import Board, Panel, Query

DATA_SOURCE: Final = models.DataSourceRef(type_val="prometheus", uid="prometheus")
"""By the name under which it is provisioned, here and on a cluster."""

_HEIGHT: Final = 8
_NUMBER_HEIGHT: Final = 4
_LINE_WIDTH: Final = 1.5
_FILL: Final = 8.0
_STACKED_FILL: Final = 40.0
_TAG: Final = "imustream"

_Built = timeseries.Panel | stat.Panel | table.Panel


def dashboard_json(board: Board) -> str:
    """Return a dashboard as a file that Grafana's provisioning reads."""
    built = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.about)
        .tags([_TAG])
        .refresh("10s")
        .time("now-30m", "now")
        .timezone("utc")
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("imustream")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags([_TAG])
            .as_dropdown(True)
            .keep_time(True)
        )
    )
    for label, metric in board.variables:
        built = built.with_variable(
            dashboard.QueryVariable(label)
            .label(label.replace("_", " "))
            .query(f"label_values({metric}, {label})")
            .datasource(DATA_SOURCE)
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(models.VariableSort.ALPHABETICAL_ASC)
            .include_all(True)
            .all_value(".*")
            .multi(True)
        )
    ids = count(1)
    for row in board.rows:
        built = built.with_row(dashboard.Row(row.title).id(next(ids)))
        for panel in row.panels:
            built = built.with_panel(_panel(panel, next(ids)))
    return JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"


def _panel(panel: Panel, number: int) -> _Built:
    built = _of_kind(panel)
    built.title(panel.title).description(panel.about).datasource(DATA_SOURCE).unit(panel.unit)
    built.span(panel.width).id(number)
    for at, query in enumerate(panel.queries):
        built.with_target(_target(query, chr(ord("A") + at), panel.kind))
    if panel.worry is not None:
        steps = [models.Threshold(None, "green"), models.Threshold(panel.worry, "red")]
        built.thresholds(
            dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)
        )
    return built


def _of_kind(panel: Panel) -> _Built:
    if panel.kind == "graph":
        return _graph(panel)
    return _number() if panel.kind == "number" else table.Panel().height(_HEIGHT)


def _target(query: Query, ref_id: str, kind: str) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).ref_id(ref_id).legend_format(query.legend)
    if kind == "table":
        return target.instant().format(PromQueryFormat.TABLE)
    return target.instant() if kind == "number" else target.range()


def _graph(panel: Panel) -> timeseries.Panel:
    legend = (
        common.VizLegendOptions()
        .display_mode(common_models.LegendDisplayMode.LIST)
        .placement(common_models.LegendPlacement.BOTTOM)
        .show_legend(any(query.legend for query in panel.queries))
    )
    built = (
        timeseries.Panel()
        .height(_HEIGHT)
        .min(0.0)
        .line_width(_LINE_WIDTH)
        .fill_opacity(_STACKED_FILL if panel.stack else _FILL)
        .legend(legend)
        .tooltip(
            common.VizTooltipOptions()
            .mode(common_models.TooltipDisplayMode.MULTI)
            .sort(common_models.SortOrder.DESCENDING)
        )
    )
    if panel.stack:
        built.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL).group("A"))
    if panel.worry is not None:
        built.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(common_models.GraphThresholdsStyleMode.DASHED)
        )
    return built


def _number() -> stat.Panel:
    return (
        stat.Panel()
        .height(_NUMBER_HEIGHT)
        .color_mode(common_models.BigValueColorMode.VALUE)
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )
