{{ config(materialized='ephemeral') }}

select
    sku as product_id,
    name as product_name,
    type as category,
    {{ cents_to_dollars('price') }} as price

from {{ source('ecom', 'raw_products') }}
