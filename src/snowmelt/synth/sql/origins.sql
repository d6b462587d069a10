-- Grain: one row per row of gold, with the lines that it is made of, as JSON.
-- Which record of its file a line is counts from 1, without the header; a record may be more than
-- a line, or no line at all (line is null): one of an array of JSON is none.
select
    to_json(struct_pack(
        model := model,
        key := key,
        rows := list(
            struct_pack(file := file, record := record, line := line) order by file, record
        )
    ))::varchar
from (
    select distinct model, key::json as key, file, record::bigint as record, line::bigint as line
    from origins
)
group by model, key
order by model, key::varchar;
