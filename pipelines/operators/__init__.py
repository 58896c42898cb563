"""Pure operators: no clock, no I/O, no Ray; the same code runs live, in backfill and in tests."""
