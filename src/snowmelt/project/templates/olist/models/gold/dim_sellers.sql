-- Grain: one row per seller.

{{
    config(
        materialized='affected_keys',
        unique_key='seller_id',
    )
}}

with

{% call snowmelt.affected() %}

    select seller_id from {{ snowmelt.stream(ref('sellers')) }}

{% endcall %}

sellers as (

    select *
    from {{ ref('sellers') }}
    where {{ snowmelt.is_affected('seller_id') }}

),

final as (

    select
        seller_id,
        zip_prefix,
        city,
        state
    from sellers

)

select * from final
