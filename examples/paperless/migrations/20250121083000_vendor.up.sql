-- v1.2.3: merchants become vendors, with a category. v1.2.2 cannot work with it: it asks for receipts.merchant.
ALTER TABLE receipts RENAME COLUMN merchant TO vendor;
ALTER TABLE receipts ADD COLUMN category text;
UPDATE receipts SET category = 'travel' WHERE vendor LIKE 'Railway%';
