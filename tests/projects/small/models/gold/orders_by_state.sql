-- Grain: one row per month and state of the customer, as far as both are known.

{{ config(materialized='affected_keys', unique_key=['month', 'state']) }}

with

{% call snowmelt.affected() %}

    select
        month,
        customer_state as state
    from {{ snowmelt.stream(ref('fct_orders'), columns=['month', 'customer_state', 'amount']) }}

{% endcall %}

final as (

    select
        month,
        customer_state as state,
        count(*) as orders,
        cast(sum(amount) as decimal(18, 2)) as amount
    from {{ ref('fct_orders') }}
    where {{ snowmelt.is_affected('month', 'customer_state') }}
        and month is not null
        and customer_state is not null
    group by month, customer_state

)

select * from final
