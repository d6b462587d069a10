-- Where the records of a block stand that was written just now: the header is a line, a record
-- may be several, and broken ones count.
create or replace temp table placed as
with

texts as (

    select
        n,
        k,
        copy,
        kind,
        case when is_late then getvariable('late_file')
             else getvariable('part_files')[part + 1] end as file,
        len(text) - len(replace(text, chr(10), '')) as lines
    from file_lines()

)

select
    texts.*,
    coalesce(file_ends.records, 0) + row_number() over file_order as record,
    coalesce(file_ends.lines, 1) + 1 + coalesce(sum(texts.lines) over (
        partition by texts.file order by n, k, copy
        rows between unbounded preceding and 1 preceding
    ), 0) as line
from texts
left join file_ends using (file)
window file_order as (partition by texts.file order by n, k, copy);

insert into kept_places
select getvariable('stem'), n, k, file, record, line
from placed
where kind in ('good', 'duplicate_rows')
qualify row_number() over (partition by n, k order by copy desc) = 1;

create or replace temp table file_ends as
select file, max(records) as records, max(lines) as lines
from (
    select file, record as records, line + lines - 1 as lines from placed
    union all
    from file_ends
)
group by file;
