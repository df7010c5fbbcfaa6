-- The users of /secure/ and /members/, loaded when the database does not exist yet.
-- WAL: who reads never waits for who writes.
PRAGMA journal_mode = WAL;

CREATE TABLE users (
  name     TEXT PRIMARY KEY,
  password TEXT NOT NULL
);

-- The password is: secret
INSERT INTO users VALUES ('john', '$argon2id$v=19$m=19456,t=2,p=1$AtY4zhGVqpQcgYeRyL8KUQ$jPagjI5XBFNTBi9GfXWwm+foYSGrGc4TZ4f1rSaP66o');
