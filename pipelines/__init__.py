"""The data path: frames, topics, settings, operators and the transactional runtime."""
