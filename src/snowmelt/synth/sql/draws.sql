-- Numbers that look random and are not: each depends on seed, row and salt only,
-- so neither threads nor the order of the work can change them.

-- In [0, 1).
create or replace temp macro draw(n, salt) as
    (hash(xor(hash(n::ubigint), md5_number_lower(getvariable('seed') || ' ' || salt))) >> 11)
    / 9007199254740992.0;

-- Normal, mean 0, deviation 1.
create or replace temp macro gauss(n, salt) as
    sqrt(-2 * ln(1 - draw(n, salt || ' length'))) * cos(2 * pi() * draw(n, salt || ' angle'));

-- 32 hex characters.
create or replace temp macro hex_id(kind, n) as
    md5(getvariable('seed') || ' ' || kind || ' ' || n::varchar);

create or replace temp macro pick(choices, u) as
    choices[1 + floor(u * len(choices))::int];

-- Cents as the published files write money: 35.0, 12.43, 20.5.
create or replace temp macro money(cents) as
    (cents // 100)::varchar || '.'
    || case when cents % 10 = 0 then ((cents % 100) // 10)::varchar
            else lpad((cents % 100)::varchar, 2, '0') end;

-- One CSV field, quoted only where it has to be.
create or replace temp macro csv(field) as
    case when field is null then ''
         when regexp_matches(field, '[,"\r\n]')
         then '"' || replace(field, '"', '""') || '"'
         else field end;

create or replace temp macro csv_time(moment) as coalesce(strftime(moment, '%Y-%m-%d %H:%M:%S'), '');
