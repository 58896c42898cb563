"""Pure operators: no clock, no I/O and no Ray; the same code runs live, in backfill and in tests."""
