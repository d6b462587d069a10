"""Files land, gold appears."""

__version__ = "0.1.0"
