# The build context holds the stack's own files; the application comes as the named context "app":
#   docker buildx build --build-context app=./app .
ARG NODE_IMAGE=node:24-alpine

# ---- deps: everything the application needs to be built
FROM ${NODE_IMAGE} AS deps
WORKDIR /app

# hadolint ignore=DL3022 # "app" is a named context, which hadolint does not know
COPY --from=app package.json package-lock.json .npmrc* ./
# libsql ships binaries for glibc and for musl without saying which is which: only the one that loads here stays.
RUN --mount=type=cache,id=npm,target=/root/.npm,sharing=locked \
    npm ci --no-audit --no-fund --no-update-notifier && \
    for binary in ./node_modules/@libsql/linux-*; do \
      node -e "require('${binary}')" 2>/dev/null || rm -rf "${binary}"; \
    done

# ---- source: the application as its author wrote it
FROM ${NODE_IMAGE} AS source
WORKDIR /app
ENV NODE_ENV=production \
    NEXT_TELEMETRY_DISABLED=1

ARG MEDIA_DIR=/app/public/media
# hadolint ignore=DL3022 # as above
COPY --from=app . .
# An application without a .dockerignore brings its developer's secrets, data and binaries along.
RUN rm -rf .env* .next node_modules ./*.db ./*.db-* "${MEDIA_DIR}" && \
    mkdir -p public && \
    chmod -R u=rwX,go=rX .

# ---- migrator: Payload's command line with all that it needs, for MIGRATE=command and `migrate.create`; never shipped
FROM deps AS migrator
ENV NODE_ENV=production
ARG MEDIA_DIR=/app/public/media
COPY --from=source /app ./
RUN install -d -o 1000 -g 1000 -m 0700 /data "${MEDIA_DIR}"
USER 1000:1000

# ---- builder: the site, built against a database and with a secret that are thrown away
FROM source AS builder
ENV DATABASE_URI=file:/tmp/build.db \
    DATABASE_URL=file:/tmp/build.db
# Next.js starts one build worker less than this; each would open the database.
ENV CIRCLE_NODE_TOTAL=2

ARG SITE=site
ARG ENV_FINGERPRINT
RUN --mount=type=bind,from=deps,source=/app/node_modules,target=/app/node_modules \
    --mount=type=bind,source=stack/inside/public-env.mjs,target=/run/public-env.mjs \
    --mount=type=cache,id=next-${SITE},target=/app/.next/cache,sharing=locked \
    --mount=type=secret,id=env_production \
    PAYLOAD_SECRET="$(node -p 'crypto.randomUUID()')" && export PAYLOAD_SECRET && \
    node_modules/.bin/payload migrate && \
    node /run/public-env.mjs /run/secrets/env_production -- npm run build

# The modules apart from the site: a layer that stays the same when only the site's code changes.
RUN mkdir /out && \
    mv .next/standalone/node_modules /out/node_modules && \
    mv .next/standalone /out/site && \
    mv .next/static /out/site/.next/static && \
    mv public /out/site/public && \
    chmod -R u=rwX,go=rX /out

# ---- runner: what is shipped; root owns it, an ordinary user runs it
FROM ${NODE_IMAGE} AS runner
WORKDIR /app

ARG MEDIA_DIR=/app/public/media
RUN install -d -o 1000 -g 1000 -m 0700 /data "${MEDIA_DIR}" /app/.next/cache

COPY --from=builder /out/node_modules ./node_modules
USER 1000:1000
# A native module that is missing or made for another libc ends the build here, not the site tonight.
RUN node -e "const Database = require('libsql'); new Database(':memory:').exec('select 1'); \
             require('sharp')(Buffer.alloc(3), { raw: { width: 1, height: 1, channels: 3 } }).png().toBuffer()"
COPY --from=builder /out/site ./

ENV NODE_ENV=production \
    NEXT_TELEMETRY_DISABLED=1 \
    HOSTNAME=0.0.0.0 \
    PORT=3000 \
    DATABASE_URI=file:/data/payload.db \
    DATABASE_URL=file:/data/payload.db \
    MEDIA_DIR=${MEDIA_DIR}
EXPOSE 3000
CMD ["node", "server.js"]

# Last, so that a new release with the same content reuses every layer.
ARG SITE=site
ARG RELEASE=unreleased
ARG REVISION
ARG CREATED
ARG INPUTS
ARG ENV_FINGERPRINT
ENV RELEASE=${RELEASE}
LABEL org.opencontainers.image.title="${SITE}" \
      org.opencontainers.image.version="${RELEASE}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      inputs="${INPUTS}" \
      env-fingerprint="${ENV_FINGERPRINT}"
