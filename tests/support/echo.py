"""An application that only tells what reached it: headers, and the sha256 of the body. `/slow` streams."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.site import Site

APP = """
  app:
    command:
      - node
      - -e
      - |
        require('http').createServer((request, response) => {
          if (request.url === '/slow') {
            response.write('first')
            return setTimeout(() => response.end('last'), 2000)
          }
          const body = require('crypto').createHash('sha256')
          request.on('data', (part) => body.update(part))
          request.on('end', () => {
            response.end(JSON.stringify({ ...request.headers, body: body.digest('hex') }))
          })
        }).listen(3000)
"""


def start(site: Site, *, override: str = "services:") -> Site:
    """Start a site with this in place of its application; ``override`` ends inside ``services``."""
    site.run("docker", "network", "create", site.network)
    (site.root / "docker-compose.override.yml").write_text(override + APP)
    site.compose("up", "--detach", "--no-build")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not site.is_healthy():
        time.sleep(0.2)
    return site
