# MariaDB with the table of users, for production. Built from the project directory:   docker build -f docker/mariadb.Dockerfile .
FROM mariadb:11.8.9
LABEL org.opencontainers.image.title="mod-ts-mariadb" \
    org.opencontainers.image.description="MariaDB with the table of users for mod_ts" \
    org.opencontainers.image.licenses="Apache-2.0"
COPY docker/mariadb/schema.sql /docker-entrypoint-initdb.d/1-schema.sql
RUN chmod 644 /docker-entrypoint-initdb.d/1-schema.sql
