-- Grain: one row per record of an order that came or went: a ledger of what the stream said.

{{ config(materialized='incremental', incremental_strategy='append') }}

select
    nullif(lower(trim(order_id)), '') as order_id,
    case when "METADATA$ACTION" = 'DELETE' then -1 else 1 end as records,
    case when "METADATA$ACTION" = 'DELETE' then -amount else amount end as amount
from {{ snowmelt.stream('bronze', 'orders') }}
