-- The users of /secure/, /reports/ and /members/, loaded if the database does not exist.
-- WAL: readers never wait for writers.
PRAGMA journal_mode = WAL;

CREATE TABLE users (
  name     TEXT PRIMARY KEY,
  password TEXT NOT NULL
);

-- The password is: secret
INSERT INTO users VALUES ('john', '$argon2id$v=19$m=19456,t=2,p=1$AtY4zhGVqpQcgYeRyL8KUQ$jPagjI5XBFNTBi9GfXWwm+foYSGrGc4TZ4f1rSaP66o');
