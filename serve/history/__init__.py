"""What was recorded of a session: read from the archive and from Kafka, thinned, shown."""
