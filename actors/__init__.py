"""Ray actors: the bridge, the processors and the supervisor."""
