-- Grain: one row per category, the newest version.

with

arrived as (

    select * from {{ source('bronze', 'product_category_translation') }}

),

typed as (

    select
        ---------- keys
        lower(nullif(trim(product_category_name), '')) as category_name,

        ---------- attributes
        nullif(trim(product_category_name_english), '') as category_name_english,

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
    where category_name is not null
    qualify row_number() over (
        partition by category_name
        order by {{ order_of_truth() }}
    ) = 1

)

select * from latest
