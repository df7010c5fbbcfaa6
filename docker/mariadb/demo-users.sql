-- The users of the examples. The password of each is: secret
USE site;

INSERT INTO users VALUES
  ('john', '$argon2id$v=19$m=19456,t=2,p=1$AtY4zhGVqpQcgYeRyL8KUQ$jPagjI5XBFNTBi9GfXWwm+foYSGrGc4TZ4f1rSaP66o'),
  ('ann', '$argon2id$v=19$m=19456,t=2,p=1$AtY4zhGVqpQcgYeRyL8KUQ$jPagjI5XBFNTBi9GfXWwm+foYSGrGc4TZ4f1rSaP66o');
