-- Grain: one row per status.

select
    status,
    count(*) as orders,
    cast(sum(item_value) as decimal(18, 2)) as item_value
from {{ ref('fct_orders') }}
group by status
