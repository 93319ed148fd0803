"""Ports of this machine's loopback address."""

from __future__ import annotations

import socket

HIGHEST = 65535
OF_ANYBODY = 1024  # ports below are root's


def taken(port: int) -> bool:
    """Tell whether somebody listens where the gate would."""
    try:
        with socket.create_server(("127.0.0.1", port)):
            return False
    except PermissionError:
        with socket.socket() as caller:
            return caller.connect_ex(("127.0.0.1", port)) == 0
    except OSError:
        return True


def free_after(port: int) -> int | None:
    """Return the next port that is free and that everybody may have."""
    candidates = range(max(port + 1, OF_ANYBODY), HIGHEST + 1)
    return next((candidate for candidate in candidates if not taken(candidate)), None)
