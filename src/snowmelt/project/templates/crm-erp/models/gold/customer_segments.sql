-- Grain: one row per segment with a customer: VIP, Regular, New.

{{
    config(
        materialized='affected_keys',
        unique_key='segment',
    )
}}

with

{% call snowmelt.affected() %}

    select segment from {{ snowmelt.stream(ref('customer_lifetime_value')) }}

{% endcall %}

customers as (

    select *
    from {{ ref('customer_lifetime_value') }}
    where {{ snowmelt.is_affected('segment') }}

),

final as (

    select
        ---------- keys
        segment,

        ---------- sales
        count(*) as customers,
        cast(sum(orders) as bigint) as orders,
        cast(sum(lifetime_value) as decimal(24, 2)) as revenue,
        {{ divided('sum(lifetime_value)', 'count(*)') }} as average_lifetime_value

    from customers
    group by segment

)

select * from final
