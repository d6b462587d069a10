-- What is damaged, and how what is damaged is written.

-- Is this record hit? The first is, for certain, once anything is dirty.
create or replace temp macro hit(n, salt, share) as
    getvariable('dirty') > 0 and (n = 1 or draw(n, salt) < share);

-- Which damage of a list a record has, or null: each of them is on one of the first records.
create or replace temp macro damage(n, salt, kinds, share) as
    case
        when getvariable('dirty') = 0 then null
        when n <= len(kinds) then kinds[n::int]
        when draw(n, salt) < share then pick(kinds, draw(n, salt || ' kind'))
    end;

-- Cents as these files write money: 35, 12.43, 20.50.
create or replace temp macro amount(cents) as
    case when cents % 100 = 0 then (cents // 100)::varchar
         else (cents // 100)::varchar || '.' || lpad((cents % 100)::varchar, 2, '0') end;

create or replace temp macro day_number(day) as strftime(day, '%Y%m%d');

-- A gender as nobody agreed to write it; five ways for one and four for the other.
create or replace temp macro odd_gender(gender, u) as
    case gender
        when 'M' then pick(['m', ' M', 'MALE', 'male '], u)
        else pick(['f', 'F ', 'FEMALE', 'female', ' Female'], u)
    end;

create or replace temp macro padded(words) as ' ' || words || '  ';
