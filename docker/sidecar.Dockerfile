# The sidecar. Built from the project directory:   docker build -f docker/sidecar.Dockerfile --target demo .

FROM node:24.21.0-bookworm-slim AS build
WORKDIR /srv/mod-ts
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY src src
RUN npm run build

# Only what is needed at run time. The packages of the handlers are where both handlers and mod_ts find them.
FROM node:24.21.0-bookworm-slim AS packages
WORKDIR /srv/mod-ts
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
WORKDIR /srv
COPY docker/sidecar/package.json docker/sidecar/package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
    && chmod -R a+rX /srv

# Handlers are in a volume at /srv/handlers.
FROM node:24.21.0-bookworm-slim AS demo
LABEL org.opencontainers.image.title="mod-ts-sidecar" \
    org.opencontainers.image.description="TypeScript handlers for Apache httpd" \
    org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
COPY --from=packages /srv /srv
COPY --from=build /srv/mod-ts/dist /srv/mod-ts/dist
COPY apache-conf /srv/mod-ts/apache-conf
COPY docker/sidecar/mod-ts.config.ts docker/sidecar/entrypoint.sh docker/sidecar/healthcheck.ts /srv/
COPY docker/sidecar/health /srv/health
# New volumes inherit the owner of these directories: the user node, and the group of httpd.
RUN chmod -R a+rX /srv/mod-ts/dist /srv/mod-ts/apache-conf /srv/health /srv/*.* \
    && chmod 755 /srv/mod-ts/dist/cli/cli.js \
    && ln -s /srv/mod-ts/dist/cli/cli.js /usr/local/bin/mod-ts \
    && mkdir -p /srv/handlers /run/mod-ts /var/lib/mod-ts \
    && chown 1000:33 /run/mod-ts /var/lib/mod-ts \
    && chmod 750 /run/mod-ts /var/lib/mod-ts
USER 1000:33
WORKDIR /srv
EXPOSE 9701 9700
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 CMD ["node", "/srv/healthcheck.ts"]
ENTRYPOINT ["/bin/sh", "/srv/entrypoint.sh"]
CMD ["start", "/srv"]

# With the handlers in the image:   --target production --build-arg HANDLERS=examples
FROM demo AS production
ARG HANDLERS=examples
USER 0
COPY ${HANDLERS} /srv/handlers
RUN chmod -R a+rX /srv/handlers
USER 1000:33
