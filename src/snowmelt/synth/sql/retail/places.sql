-- The numbers of one file's records: the good ones, and the broken ones beside them.

-- Tables, not range(): threads share the scan of a table, and keep its order.
create temp table places as
select null::boolean as nothing from range(getvariable('rows'));

create temp table changed as
select n
from range(1, getvariable('changes_before')) as known (n)
where n = getvariable('increment')
    or draw(n, 'changed ' || getvariable('increment')) < getvariable('changed_share');

create temp view chosen as
select getvariable('first') + rowid as n, 0 as copy from places
union all
select n, 0 as copy from changed;

-- Half of the dirt is of these. The first of a file has one of each kind.
create temp view broken as
with

drawn as (

    select n, fraction(bits(n, 'broken ' || getvariable('table_name'))) as u
    from chosen

)

select
    n,
    unnest(
        case
            when n = getvariable('first') then range(1, getvariable('kinds') + 1)
            else [least(1 + floor(2 * getvariable('kinds') * u / getvariable('dirty'))::bigint, getvariable('kinds'))]
        end
    ) as copy
from drawn
where getvariable('dirty') > 0
    and (n = getvariable('first') or u < getvariable('dirty') / 2);
