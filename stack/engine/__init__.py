"""The Docker engine, seen through the Docker SDK. Nothing outside this package imports ``docker``."""
