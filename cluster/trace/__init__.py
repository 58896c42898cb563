"""Where one sample is or was: sought stage by stage in Kafka, the archive and MongoDB."""
