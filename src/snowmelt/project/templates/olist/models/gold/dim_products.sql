-- Grain: one row per product.

{{
    config(
        materialized='affected_keys',
        unique_key='product_id',
    )
}}

with

{% call snowmelt.affected() %}

    select product_id from {{ snowmelt.stream(ref('products')) }}

    union all

    select product_id
    from {{ ref('products') }}
    where category_name in (
        select category_name
        from {{ snowmelt.stream(ref('product_category_translation')) }}
    )

{% endcall %}

products as (

    select *
    from {{ ref('products') }}
    where {{ snowmelt.is_affected('product_id') }}

),

translation as (

    select * from {{ ref('product_category_translation') }}

),

joined as (

    select
        ---------- keys
        products.product_id,

        ---------- attributes
        coalesce(
            translation.category_name_english, products.category_name, 'unknown'
        ) as category,
        products.name_length,
        products.description_length,
        products.photo_count,

        ---------- measures
        products.weight_g,
        products.length_cm,
        products.height_cm,
        products.width_cm

    from products
    left join translation
        on products.category_name = translation.category_name

)

select * from joined
