"""Every dashboard there is."""

from typing import Final

from cluster.monitoring.dashboards import api, brokers, devices, inference, overview, pipelines
from cluster.monitoring.dashboards.board import Board

BOARDS: Final[tuple[Board, ...]] = (
    overview.BOARD,
    pipelines.BOARD,
    devices.BOARD,
    inference.BOARD,
    api.BOARD,
    brokers.BOARD,
)
