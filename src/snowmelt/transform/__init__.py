"""Bronze to silver to gold: dbt, and what makes it due."""
