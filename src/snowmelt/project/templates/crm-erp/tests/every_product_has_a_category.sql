-- Warns only: the category may arrive with the next file. Until then it is n/a.
{{ config(severity='warn') }}

select
    product_number,
    category_id
from {{ ref('dim_products') }}
where category_id not in (select category_id from {{ ref('erp_categories') }})
