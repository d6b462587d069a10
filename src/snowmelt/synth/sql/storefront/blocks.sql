-- Grain: one row per block of one file's text, in the order they are to be written.
with

records as (

    select
        *,
        row_number() over (order by n, copy) - 1 as label
    from query_table(getvariable('records'))

),

places as (

    -- by column, a file is written as often as it has columns
    select unnest(case getvariable('shape')
        when 'columns' then range(1, len(getvariable('names')) + 1) else [0] end) as place

),

pieces as (

    select
        place,
        label,
        case getvariable('shape')
            when 'csv' then array_to_string(fields, ',') || chr(10)
            when 'columns'
            then case when label > 0 then ',' when place = 1 then '' else '},' end
                || case when label = 0 then '"' || getvariable('names')[place] || '":{' else '' end
                || '"' || label || '":' || fields[place]
            else case when getvariable('shape') = 'array' and label > 0 then ',' || chr(10) else '' end
                || '{' || array_to_string(list_transform(
                    range(1, len(fields) + 1),
                    lambda i: '"' || getvariable('names')[i] || '": ' || fields[i]
                ), ', ') || '}'
                || case getvariable('shape') when 'lines' then chr(10) else '' end
        end as text
    from records
    cross join places

)

select string_agg(text, '' order by label) as text
from pieces
group by place, label // 2000
order by place, label // 2000;
