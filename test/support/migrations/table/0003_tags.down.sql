-- As many write it.
BEGIN;
DROP TABLE tags;
COMMIT;
