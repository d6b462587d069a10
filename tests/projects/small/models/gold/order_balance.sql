-- Grain: one row per order of which records are there; from the ledger.

{{ config(materialized='view') }}

select
    order_id,
    cast(sum(records) as bigint) as records,
    cast(coalesce(sum(amount), 0) as decimal(18, 2)) as amount
from {{ ref('order_movements') }}
group by order_id
having sum(records) <> 0
