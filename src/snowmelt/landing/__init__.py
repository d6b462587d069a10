"""Where files arrive: the stage, the local folder, and putting files in."""
