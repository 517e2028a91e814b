DROP TABLE receipts;
DROP TABLE users;
