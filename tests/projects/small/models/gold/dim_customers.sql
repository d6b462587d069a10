-- Grain: one row per customer and the time from which they shipped to a state.

{{
    config(
        materialized='affected_keys',
        unique_key=['customer_id', 'valid_from'],
        affected_by='customer_id',
    )
}}

with

{% call snowmelt.affected() %}

    select customer_id from {{ snowmelt.stream(ref('order_log')) }}

{% endcall %}

versions as (

    select
        customer_id,
        ship_state,
        _version_at as valid_from
    from {{ ref('order_log') }}
    where {{ snowmelt.is_affected('customer_id') }}
    qualify row_number() over (
        partition by customer_id, _version_at
        order by {{ snowmelt.order_of_truth() }}
    ) = 1

),

changes as (

    select *
    from versions
    qualify ship_state is distinct from
            lag(ship_state) over (partition by customer_id order by valid_from)
        or row_number() over (partition by customer_id order by valid_from) = 1

),

final as (

    select
        customer_id,
        valid_from,
        lead(valid_from) over (partition by customer_id order by valid_from) as valid_to,
        ship_state
    from changes

)

select * from final
