-- The table that mod_ts/sql and mod_ts/login read. Run once by the image, when the volume is empty.
USE site;

CREATE TABLE users (
  -- Names are equal to the letter: JOHN is not john.
  name     VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY,
  password VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
);

-- The image lets its user do anything in the database. The sidecar looks a name up, no more.
REVOKE ALL PRIVILEGES ON site.* FROM 'sidecar'@'%';
GRANT SELECT ON site.users TO 'sidecar'@'%';
