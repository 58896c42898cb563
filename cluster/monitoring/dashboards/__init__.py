"""Grafana's dashboards as code: what each shows stands here, its JSON in ``generated``."""
