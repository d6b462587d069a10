-- Warns only: a product may arrive after its first sale.
{{ config(severity='warn') }}

select product_id from {{ ref('dim_products') }} where not is_known
