"""What readers may see: whole runs, tested before they are published."""
