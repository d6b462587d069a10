-- Grain: one row per record of one file, broken ones too, with the text that is written.
-- Dirt comes beside the good records, never instead of them: exact duplicates, and
-- copies that are damaged in one way and carry a new id.
create or replace temp macro file_lines() as table (

with

records as (

    select n, k, n * 64 + k as record, part, is_late, fields, n = getvariable('anchor')
        and k = 1 as is_anchor
    from query_table(getvariable('records'))

),

good as (

    select n, k, part, is_late, 0 as copy, 'good' as kind, fields from records

),

duplicated as (

    select n, k, part, is_late, 1 as copy, 'duplicate_rows' as kind, fields
    from records
    where getvariable('dirt') > 0 and not is_late
        and (is_anchor or draw(record, 'duplicate ' || getvariable('records'))
             < getvariable('dirt') / 4)

),

hit as (

    select records.*, kinds.copy, getvariable('kinds')[kinds.copy - 1] as kind
    from records, range(2, 2 + len(getvariable('kinds'))) as kinds (copy)
    where getvariable('dirt') > 0 and not is_late
        and (is_anchor or draw(record * 16 + kinds.copy, 'broken ' || getvariable('records'))
             < getvariable('dirt') / 2 / len(getvariable('kinds')))

),

renamed as (

    select
        * replace (
            [hex_id('broken ' || kind, record)] || fields[2:] as fields
        ),
        case kind
            when 'text_in_number' then getvariable('number_at')
            when 'impossible_date' then getvariable('date_at')
            when 'invalid_utf8' then getvariable('text_at')
            when 'text_after_quote' then getvariable('text_at')
            when 'empty_id' then 1
            when 'too_few_fields' then len(fields)
            else len(fields) + 1
        end as place
    from hit

),

broken as (

    select
        n,
        k,
        part,
        is_late,
        copy,
        'broken_' || kind as kind,
        fields[:place - 1]
        || case kind
            when 'text_in_number' then ['"12,O0"']
            when 'impossible_date' then ['2017-13-45 00:00:00']
            -- U+E0FF stands for a byte that is no UTF-8 until the line is written
            when 'invalid_utf8' then
                ['"' || trim(fields[place], '"') || chr(57599) || '"']
            when 'text_after_quote' then
                ['"' || trim(coalesce(nullif(fields[place], ''), 'Bom'), '"') || '" sim']
            when 'empty_id' then ['']
            when 'too_few_fields' then []
            else ['extra']
        end
        || fields[place + 1:] as fields
    from renamed

),

lines as (

    from good
    union all
    from duplicated
    union all
    from broken

)

select
    n,
    k,
    copy,
    part,
    is_late,
    kind,
    array_to_string(fields, ',') || getvariable('terminator') as text
from lines

);
