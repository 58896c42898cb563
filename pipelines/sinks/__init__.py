"""Sinks: pipelines that end in a store outside Kafka, and how far they are."""
