"""Ports of this machine's loopback address."""

from __future__ import annotations

import socket

HIGHEST = 65535


def taken(port: int) -> bool:
    """Tell whether somebody listens where the gate would; what only root may find out counts as free."""
    try:
        with socket.create_server(("127.0.0.1", port)):
            return False
    except PermissionError:
        return False
    except OSError:
        return True


def free_after(port: int) -> int | None:
    """Return the next port that is free."""
    return next((candidate for candidate in range(port + 1, HIGHEST + 1) if not taken(candidate)), None)
