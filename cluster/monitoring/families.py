"""prometheus_client's families of metrics from our descriptions, for collectors of ours."""

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from pipelines.metric_kinds import Book


def gauge(book: Book) -> GaugeMetricFamily:
    """Return an empty family of what rises and falls."""
    return GaugeMetricFamily(book.name, book.help, labels=book.labels)


def counter(book: Book) -> CounterMetricFamily:
    """Return an empty family of what only rises."""
    return CounterMetricFamily(book.name, book.help, labels=book.labels)
