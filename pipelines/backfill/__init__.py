"""Backfill: the live operators over the archive's raw Parquet files, partition by partition."""
