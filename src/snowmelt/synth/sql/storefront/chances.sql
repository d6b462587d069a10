-- What is damaged, and how what is damaged is called.

-- Is this record hit? Of each kind the first is, for certain, once anything is dirty.
create or replace temp macro hit(n, salt, share) as
    getvariable('dirty') > 0 and (n = 1 or draw(n, salt) < share);

-- Cents with all digits, for more to follow.
create or replace temp macro long_money(cents) as
    (cents // 100)::varchar || '.' || lpad((cents % 100)::varchar, 2, '0');

-- Ids of broken records: no good record has them.
create or replace temp macro broken_customer(c, copy) as
    (getvariable('customers') + (c - 1) * 3 + copy - 1)::bigint::varchar;

create or replace temp macro broken_product(p, copy) as
    (getvariable('products') + (p - 1) * 4 + copy - 1)::bigint::varchar;

create or replace temp macro broken_sale(s, copy) as
    (getvariable('sales') + (s - 1) * 6 + copy - 1)::bigint;
