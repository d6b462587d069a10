"""Speed, as ratios against raw DuckDB in the same run. Run: python -m bench."""
