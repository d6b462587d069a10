-- What one hash decides, what is damaged, and how everything is numbered.
--
-- A run of fifty million rows is made of these, so each costs next to nothing: a hash is drawn
-- once and cut into slices, and no table is looked up.

create or replace temp macro bits(n, salt) as
    hash(xor(hash(n::ubigint), md5_number_lower(getvariable('seed') || ' ' || salt)));

-- In [0, 1), of the 16 bits of a hash from `place` on.
create or replace temp macro slice(bits, place) as
    ((bits >> place) & 65535) / 65536.0;

-- In [0, 1), of the upper 53 bits of a hash.
create or replace temp macro fraction(bits) as
    (bits >> 11) / 9007199254740992.0;

-- Of a list of choices, by 16 bits of a hash; their order is that of what is drawn.
create or replace temp macro choose(choices, bits, place) as
    choices[1 + ((bits >> place) & 65535)::bigint * len(choices) // 65536];

-- Which oddity a good record has, of as many as `kinds`: a quarter of the dirt is of each. The
-- first record has all of them, once anything is dirty.
create or replace temp macro is_odd(n, u, kind) as
    getvariable('dirty') > 0
    and (n = 1 or (u >= (kind - 1) * getvariable('dirty') / 4 and u < kind * getvariable('dirty') / 4));

-- Was this record in the set already, and comes again with an increment?
create or replace temp macro is_changed(n) as
    getvariable('increment') > 0 and n <= getvariable('known');

create or replace temp macro kind_of(n) as
    case
        when getvariable('increment') = 0 then 'good'
        when is_changed(n) then 'changed_' || getvariable('table_name')
        else 'new_' || getvariable('table_name')
    end;

-- Ids: short, of one length, and in the order of time. A broken record's id is no good record's.
create or replace temp macro customer_id(c) as
    'C' || (100000000 + c)::bigint::varchar;

create or replace temp macro product_id(p) as
    'P' || (1000000 + p)::bigint::varchar;

create or replace temp macro transaction_id(t) as
    'T' || (10000000000 + t)::bigint::varchar;

create or replace temp macro broken_id(kind, n, copy) as
    kind || 'X' || (n * 16 + copy)::bigint::varchar;

-- The price of a product, in cents: many are cheap, few are dear. In the product's own file and
-- in every sale of it, so it is worked out and not looked up.
create or replace temp macro price_cents(p, h) as
    (99 + 1000 * ((h >> 40) & 7) + 40000 * slice(h, 0) * slice(h, 0) * slice(h, 0))::bigint;

-- Which of the first `among` is meant: the small numbers more often than the large ones.
create or replace temp macro favourite(u, among) as
    1 + floor(among * u * u)::bigint;

-- Cents as a number with two digits.
create or replace temp macro euros(cents) as
    (cents / 100)::decimal(18, 2);
