-- Grain: one row per product, the newest version.

with

arrived as (

    select * from {{ source('bronze', 'products') }}

),

typed as (

    select
        ---------- keys
        nullif(trim(product_id), '') as product_id,

        ---------- attributes
        lower(nullif(trim(product_category_name), '')) as category_name,
        product_name_lenght as name_length,
        product_description_lenght as description_length,
        product_photos_qty as photo_count,

        ---------- measures
        product_weight_g as weight_g,
        product_length_cm as length_cm,
        product_height_cm as height_cm,
        product_width_cm as width_cm,

        ---------- origin
        _file,
        _file_row,
        _load_seq,
        _version_at

    from arrived

),

latest as (

    select *
    from typed
    where product_id is not null
    qualify row_number() over (
        partition by product_id
        order by {{ order_of_truth() }}
    ) = 1

)

select * from latest
