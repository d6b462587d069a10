-- What happens by chance, and where records wait for their file.

-- Events come in blocks of twelve: the first is a signup, the sixth an order, the last most often
-- says more of an earlier order. So each event is a function of its number, and a feed has no end.
create or replace temp macro block_of(n) as ((n - 1) // 12 + 1)::bigint;

create or replace temp macro place_of(n) as ((n - 1) % 12 + 1)::bigint;

-- One of those who signed up before, more often one of the last.
create or replace temp macro member_of(n) as
    (block_of(n) - floor(block_of(n) * power(draw(n, 'user'), 1.5)))::bigint;

-- Number 24 always cancels number 18, which always comes late: no feed is without such a case.
create or replace temp macro chance_back(n) as
    case when n = 24 then 0 else power(draw(n, 'which order'), 4) end;

create or replace temp macro order_before(n) as
    (12 * (greatest(1, block_of(n) - floor(20 * chance_back(n))) - 1) + 6)::bigint;

create or replace temp macro kind_of(n) as
    case
        when place_of(n) = 1 then 'signup'
        when place_of(n) = 2 then 'visit'
        when place_of(n) = 6 then 'order'
        when place_of(n) = 9 and draw(n, 'moves') < 0.4 then 'profile'
        when n = 24 then 'cancel'
        when place_of(n) = 12 and draw(n, 'follows') < 0.45 then 'amended'
        when place_of(n) = 12 and draw(n, 'follows') < 0.9 then 'cancel'
        when place_of(n) in (3, 4, 5, 7, 8, 10, 11) and draw(n, 'buys') < 0.1 then 'order'
        else 'visit'
    end;

create or replace temp macro region_of(n) as
    pick(
        ['EMEA', 'EMEA', 'EMEA', 'APAC', 'APAC', 'NORTH AMERICA', 'NORTH AMERICA', 'LATAM'],
        draw(n, 'region')
    );

-- Ids are a feed's own: two that begin at different times are about different events and orders.
create or replace temp macro id_of(kind, n) as
    hex_id(getvariable('first_moment')::varchar || ' ' || kind, n);

create or replace temp macro order_id_of(n) as 'o' || id_of('feed', 0)[:4] || '-' || n;

-- Is this event hit? The first signup, visit and order are, for certain, once anything is dirty.
create or replace temp macro hit(n, salt, share) as
    getvariable('dirty') > 0 and (n in (1, 2, 6) or draw(n, salt) < share);

-- One to three files later, or in the last one.
create or replace temp macro later_file(file, chance) as
    least(file + 1 + floor(3 * chance)::bigint, getvariable('last_file'))::bigint;

-- Grain: one row per record that is still to be written.
create or replace temp table outbox (
    file bigint,
    n bigint,
    copy integer,
    sent_as varchar,
    repairs varchar[],
    quirks varchar[],
    line varchar,
    place double
);
