-- Grain: one row per version of a product: product_code (prd_key) and the day it starts.
--
-- A version ends on the day before the next one of the same prd_key starts; the last one has no end
-- and is current. A new version changes the end of the one before it, so all versions of a
-- product are made again together. Of versions that start on the same day the one with the
-- highest prd_id counts. (category_id is a part of product_code.)

{{
    config(
        materialized='affected_keys',
        unique_key='product_version_key',
        affected_by='product_number',
    )
}}

with

{% call snowmelt.affected() %}

    select product_number
    from {{
        snowmelt.stream(
            ref('crm_products'),
            columns=[
                'product_id', 'product_code', 'product_number', 'product_name', 'product_line',
                'cost', 'start_date',
            ],
        )
    }}

    union all

    select product_number
    from {{ ref('crm_products') }}
    where category_id in (
        select category_id
        from {{
            snowmelt.stream(
                ref('erp_categories'),
                columns=['category_id', 'category', 'subcategory', 'maintenance'],
            )
        }}
    )

{% endcall %}

versions as (

    select *
    from {{ ref('crm_products') }}
    where {{ snowmelt.is_affected('product_number') }}
    qualify row_number() over (
        partition by product_code, start_date
        order by try_cast(product_id as bigint) desc nulls last, product_id desc
    ) = 1

),

dated as (

    select
        *,
        lead(start_date) over (
            partition by product_code order by start_date nulls first
        ) - 1 as end_date
    from versions

),

categories as (

    select * from {{ ref('erp_categories') }}

),

joined as (

    select
        ---------- keys
        {{ surrogate_key(['dated.product_code', 'dated.start_date']) }} as product_version_key,
        {{ surrogate_key(['dated.product_number']) }} as product_key,
        dated.product_number,
        dated.product_code,
        dated.product_id,
        dated.category_id,

        ---------- attributes
        dated.product_name,
        coalesce(categories.category, 'n/a') as category,
        coalesce(categories.subcategory, 'n/a') as subcategory,
        coalesce(categories.maintenance, 'n/a') as maintenance,
        dated.product_line,

        ---------- money
        dated.cost,

        ---------- times
        dated.start_date,
        dated.end_date,
        dated.end_date is null as is_current

    from dated
    left join categories
        on dated.category_id = categories.category_id

)

select * from joined
