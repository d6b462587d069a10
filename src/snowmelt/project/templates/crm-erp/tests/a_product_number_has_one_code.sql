-- Warns only: of the current versions that share a number, dim_products has the one that started last.
{{ config(severity='warn') }}

select
    product_number,
    count(*) as current_versions
from {{ ref('dim_products_history') }}
where is_current
group by product_number
having count(*) > 1
