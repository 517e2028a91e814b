CREATE TABLE users (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email text NOT NULL UNIQUE
);
CREATE TABLE receipts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES users (id),
  merchant text NOT NULL,
  total numeric(12, 2) NOT NULL,
  currency char(3) NOT NULL DEFAULT 'EUR',
  created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO users (email) VALUES ('ines@paperless.example'), ('okoro@paperless.example');
INSERT INTO receipts (user_id, merchant, total) VALUES
  (1, 'Railway Bakery', 4.80), (1, 'Harbour Books', 23.90), (2, 'Railway Station Parking', 12.00), (2, 'Green Grocer', 31.45);
