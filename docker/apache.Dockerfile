# Apache. Built from the project directory:   docker build -f docker/apache.Dockerfile --target demo .

FROM httpd:2.4.71 AS base
LABEL org.opencontainers.image.title="mod-ts-apache" \
    org.opencontainers.image.description="Apache httpd with the configuration of mod_ts" \
    org.opencontainers.image.licenses="Apache-2.0"
COPY apache-conf/mod_ts.conf docker/apache/httpd.conf docker/apache/tls.conf /usr/local/apache2/conf/
COPY docker/apache/entrypoint.sh docker/apache/healthcheck.sh /usr/local/bin/
# httpd writes only to /run/httpd, in memory, with the mode that the directory has here. The sockets are in a volume at
# /run/mod-ts.
RUN chmod 755 /usr/local/bin/entrypoint.sh /usr/local/bin/healthcheck.sh \
    && chmod 644 /usr/local/apache2/conf/httpd.conf /usr/local/apache2/conf/mod_ts.conf /usr/local/apache2/conf/tls.conf \
    && mkdir -p /srv/handlers /run/httpd /run/mod-ts \
    && chown 33:33 /run/httpd \
    && chmod 700 /run/httpd \
    && chown 1000:33 /run/mod-ts \
    && chmod 750 /run/mod-ts
EXPOSE 8080 8443
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/local/bin/healthcheck.sh"]
ENTRYPOINT ["/bin/sh", "/usr/local/bin/entrypoint.sh"]
CMD ["httpd", "-DFOREGROUND"]

# Handlers are in a volume at /srv/handlers.
FROM base AS demo
COPY docker/apache/demo.conf /usr/local/apache2/conf/stack.conf
RUN chmod 644 /usr/local/apache2/conf/stack.conf
USER 33:33

# With the directory of the handlers in the image, as in the sidecar:   --target production --build-arg HANDLERS=examples
FROM base AS production
ARG HANDLERS=examples
COPY docker/apache/production.conf /usr/local/apache2/conf/stack.conf
COPY ${HANDLERS} /srv/handlers
RUN chmod 644 /usr/local/apache2/conf/stack.conf \
    && chmod -R a+rX /srv/handlers
USER 33:33
