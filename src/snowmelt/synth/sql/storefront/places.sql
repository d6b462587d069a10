-- Where the good records of the file stand that was written just now. Only some shapes have a
-- line for each record; elsewhere header_lines is null, and so is the line.
insert into places
select
    getvariable('stem'), n, getvariable('dated'), getvariable('landed'), getvariable('file'),
    record, record + getvariable('header_lines')
from (
    select n, kind, row_number() over (order by n, copy) as record
    from query_table(getvariable('records'))
)
where kind = 'good' or kind like 'duplicate%';
