"""What happens, told to the tools of others: traces and lineage."""
