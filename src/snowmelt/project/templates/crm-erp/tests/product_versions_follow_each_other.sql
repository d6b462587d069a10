-- The versions of a product (prd_key) lie one behind the other: none ends before it starts, each ends
-- on the day before the next, and one, the last, is current.

with

versions as (

    select
        product_code,
        product_version_key,
        start_date,
        end_date,
        is_current,
        lead(start_date) over (partition by product_code order by start_date nulls first) as next_start_date,
        row_number() over (partition by product_code order by start_date nulls first)
            = count(*) over (partition by product_code) as is_last
    from {{ ref('dim_products_history') }}

)

select *
from versions
where end_date < start_date
    or end_date is distinct from next_start_date - 1
    or is_current <> is_last
