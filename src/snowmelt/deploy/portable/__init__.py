"""What a project's SQL may say so that both engines take it, and mean the same."""
