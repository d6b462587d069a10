-- Grain: one row per seller.

with

sellers as (

    select * from {{ ref('sellers') }}

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
