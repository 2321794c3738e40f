"""The version of the distribution, read by pyproject.toml too."""

VERSION = "0.1.0"
