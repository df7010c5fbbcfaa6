# MariaDB with the table of users, for production. Built from the project directory:   docker build -f docker/mariadb.Dockerfile .
FROM mariadb:11.8.9
COPY docker/mariadb/schema.sql /docker-entrypoint-initdb.d/1-schema.sql
RUN chmod 644 /docker-entrypoint-initdb.d/1-schema.sql
