"""The machine itself: its packages, its engine, its disk, and the base images on it."""
