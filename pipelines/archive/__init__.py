"""The Parquet archive: its layout, the rows of its files, and who writes them."""
