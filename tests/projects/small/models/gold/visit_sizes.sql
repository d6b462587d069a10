-- Grain: one row per visit. An ordinary incremental model, blind to rows that go.

{{ config(materialized='incremental', unique_key='visit_id', incremental_strategy='delete+insert') }}

select
    visit_id,
    customer_id,
    case when pages > 10 then 'long' else 'short' end as size,
    _load_seq
from {{ ref('visits') }}
{% if is_incremental() %}
where _load_seq > (select coalesce(max(_load_seq), 0) from {{ this }})
{% endif %}
