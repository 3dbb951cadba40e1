CREATE TABLE orders (
    id text NOT NULL PRIMARY KEY,
    sku text NOT NULL,
    quantity bigint NOT NULL CONSTRAINT orders_quantity_positive CHECK (quantity > 0),
    email text NOT NULL,
    receipt text NOT NULL CONSTRAINT orders_receipt_known CHECK (receipt IN ('pending', 'sent', 'failed')),
    created_at timestamptz NOT NULL,
    version bigint NOT NULL
);
