-- The categories are lost.
ALTER TABLE receipts DROP COLUMN category;
ALTER TABLE receipts RENAME COLUMN vendor TO merchant;
