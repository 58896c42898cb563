"""A fleet of simulated sensors with ground truth and faults on request."""

from simulator.backlog import Backlog, Payload, payloads
from simulator.options import FleetOptions
from simulator.report import Report

__all__ = ["Backlog", "FleetOptions", "Payload", "Report", "payloads"]
