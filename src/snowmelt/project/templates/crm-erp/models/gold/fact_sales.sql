-- Grain: one row per order and product.
--
-- product_key and customer_key are made from what the sale says, so they stand whether the product
-- and the customer are known yet or not. product_version_key is the version that the order fell
-- into: the last one that had started, else the first; without a day of order, the current one.
-- A product has many versions: without the qualify below each sale would count once for each.
--
-- Of the versions this reads product_code and start_date, which product_version_key is made from.

{{
    config(
        materialized='affected_keys',
        unique_key=['order_number', 'product_number'],
    )
}}

with

{% call snowmelt.affected() %}

    select order_number, product_number
    from {{
        snowmelt.stream(
            ref('crm_sales'),
            columns=[
                'order_number', 'product_number', 'customer_id', 'order_date', 'ship_date',
                'due_date', 'sales_amount', 'quantity', 'price',
            ],
        )
    }}

    union all

    select order_number, product_number
    from {{ ref('crm_sales') }}
    where product_number in (
        select product_number
        from {{
            snowmelt.stream(
                ref('dim_products_history'), columns=['product_number', 'product_version_key']
            )
        }}
    )

{% endcall %}

sales as (

    select *
    from {{ ref('crm_sales') }}
    where {{ snowmelt.is_affected('order_number', 'product_number') }}

),

versions as (

    select
        product_number,
        product_version_key,
        product_code,
        start_date
    from {{ ref('dim_products_history') }}
    where product_number in (select product_number from sales)

),

with_version as (

    select
        sales.*,
        versions.product_version_key,
        coalesce(versions.start_date <= sales.order_date, true) as had_started,
        versions.start_date,
        versions.product_code
    from sales
    left join versions
        on sales.product_number = versions.product_number
    qualify row_number() over (
        partition by sales.order_number, sales.product_number
        order by
            had_started desc,
            case when had_started then versions.start_date end desc nulls last,
            versions.start_date,
            versions.product_code
    ) = 1

),

final as (

    select
        ---------- keys
        order_number,
        {{ surrogate_key(['product_number']) }} as product_key,
        {{ surrogate_key(['customer_id']) }} as customer_key,
        product_version_key,
        product_number,
        customer_id,

        ---------- times
        order_date,
        ship_date,
        due_date,

        ---------- measures
        sales_amount,
        cast(quantity as integer) as quantity,
        price

    from with_version

)

select * from final
