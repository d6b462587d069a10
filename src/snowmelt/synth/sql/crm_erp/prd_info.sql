-- The CRM's products, version by version; see cust_info.

create or replace temp view prd_info_records as
with

written as (

    select
        versions.*,
        products.prefix || products.number as code,
        products.name,
        products.line,
        damage(n, 'end', ['ends_before_start'], getvariable('dirty')) as end_damage,
        damage(n, 'line', ['padded_product_lines', 'missing_product_lines'], getvariable('dirty') / 2)
            as line_damage,
        damage(n, 'cost', ['missing_costs', 'negative_costs'], getvariable('dirty') / 3) as cost_damage,
        damage(n, 'name', ['padded_product_names'], getvariable('dirty') / 4) as name_damage
    from versions
    join products using (p)

),

fields as (

    select
        n,
        [
            n::varchar,
            code,
            csv(case when name_damage is null then name else padded(name) end),
            case cost_damage
                when 'missing_costs' then ''
                when 'negative_costs' then '-' || amount(cost_cents)
                else amount(cost_cents)
            end,
            case line_damage
                when 'padded_product_lines' then line || ' '
                when 'missing_product_lines' then ''
                else line
            end,
            strftime(start_day, '%Y-%m-%d'),
            case
                when end_damage is not null then strftime(start_day - 200, '%Y-%m-%d')
                else coalesce(strftime(end_day, '%Y-%m-%d'), '')
            end
        ] as fields,
        list_filter([end_damage, line_damage, cost_damage, name_damage], lambda each: each is not null)
            as repairs
    from written

)

select n, 0 as copy, 'good' as kind, repairs, fields from fields
union all
select n, 1, 'duplicate_products', [], fields
from fields
where getvariable('dirty') > 0 and len(repairs) = 0
    and (draw(n, 'duplicate product') < getvariable('dirty') / 4
        or n = (select min(n) from fields where len(repairs) = 0))
union all
select n, 2, 'missing_product_ids', [], list_concat([''], fields[2:])
from fields
where hit(n, 'broken product', getvariable('dirty') / 8)
union all
-- no number is left from the seventh character on
select n, 3, 'short_product_keys', [], list_concat([(-n)::varchar, fields[2][1:5]], fields[3:])
from fields
where hit(n, 'short product', getvariable('dirty') / 8);
