"""What watches imustream: the exporter, Prometheus, its rules, and Grafana's dashboards."""
