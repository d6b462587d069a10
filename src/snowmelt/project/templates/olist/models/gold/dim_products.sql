-- Grain: one row per product.

with

products as (

    select * from {{ ref('products') }}

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
