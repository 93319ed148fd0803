"""The application the way Payload's documentation puts it into an image, with a plain Compose file around it.

Its Dockerfile takes the documented steps, on our base image: `npm ci` on the two package files, then all the
sources and `npm run build`, then what Next.js calls standalone. Where those steps need a user, a directory or
a database, they get what the documentation leaves to the reader: our user, a writable place, one that is
migrated and thrown away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack import settings

if TYPE_CHECKING:
    from tests.support.site import Site

UP = ("docker", "compose", "up", "--detach", "--build", "--wait")
DOCKERFILE = """\
FROM %(node)s AS base

FROM base AS deps
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci

FROM base AS builder
WORKDIR /app
COPY --from=deps /app/node_modules ./node_modules
COPY . .
ENV DATABASE_URI=file:/tmp/build.db PAYLOAD_SECRET=only-for-the-build NEXT_PUBLIC_SERVER_URL=http://localhost:3000
RUN NODE_ENV=production npx payload migrate && mkdir -p public
RUN npm run build

FROM base AS runner
WORKDIR /app
ENV NODE_ENV=production
RUN mkdir -p .next /data public/media && chown -R 1000:1000 .next /data public
COPY --from=builder --chown=1000:1000 /app/public ./public
COPY --from=builder --chown=1000:1000 /app/.next/standalone ./
COPY --from=builder --chown=1000:1000 /app/.next/static ./.next/static
USER 1000:1000
EXPOSE 3000
ENV PORT=3000 HOSTNAME=0.0.0.0
CMD ["node", "server.js"]
"""
COMPOSE = """\
services:
  app:
    image: %(name)s:latest
    build: ./app
    restart: always
    env_file: [.env.production]
    volumes:
      - payload-db:/data
      - media-uploads:/app/public/media
    networks: [proxy]
    ports: ["127.0.0.1:%(port)d:3000"]
    healthcheck:
      test: [CMD, node, -e, "fetch('http://127.0.0.1:3000/api/health').then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]
      interval: 30s
      timeout: 10s
      retries: 3
      start_period: 60s
      start_interval: 1s
    deploy:
      resources:
        limits: { memory: 768m, cpus: "1.0", pids: 256 }
volumes:
  payload-db: { name: "${COMPOSE_PROJECT_NAME}_payload-db" }
  media-uploads: { name: "${COMPOSE_PROJECT_NAME}_media-uploads" }
networks:
  proxy: { name: "${PROXY_NETWORK}", external: true }
"""


def settle(site: Site) -> None:
    """Make a checkout one that is built and started this way."""
    node = settings.load(site.root).node_image
    (site.root / "app" / "Dockerfile").write_text(DOCKERFILE % {"node": node})
    (site.root / "docker-compose.yml").write_text(COMPOSE % {"name": site.name, "port": site.port})
    site.run("docker", "network", "create", site.network)
