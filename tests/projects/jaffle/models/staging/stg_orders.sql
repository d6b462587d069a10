select
    id as order_id,
    store_id,
    customer as customer_id,
    ordered_at,
    {{ cents_to_dollars('tax_paid') }} as tax_paid

from {{ source('ecom', 'raw_orders') }}
