"""Gold where other tools look for it: in Postgres, and as Parquet files."""
