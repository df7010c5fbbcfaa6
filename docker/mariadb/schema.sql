-- The table of mod_ts/sql and mod_ts/login. The image runs this once, when the volume is empty.
USE site;

CREATE TABLE users (
  -- Names are case-sensitive: JOHN is not john.
  name     VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY,
  password VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
);

-- The image grants its user all privileges in the database. The sidecar only needs to read users.
REVOKE ALL PRIVILEGES ON site.* FROM 'sidecar'@'%';
GRANT SELECT ON site.users TO 'sidecar'@'%';
