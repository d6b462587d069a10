-- Grain: one row per product with a sale.
--
-- A sale costs what its product cost when it was ordered: the version that it fell into says so.
-- Where no cost is known, a sale has no profit either: its revenue is told apart.

{{
    config(
        materialized='affected_keys',
        unique_key='product_key',
    )
}}

with

{% call snowmelt.affected() %}

    select product_key from {{ snowmelt.stream(ref('fact_sales')) }}

    union all

    select product_key from {{ snowmelt.stream(ref('dim_products_history')) }}

{% endcall %}

versions as (

    select
        product_version_key,
        cost
    from {{ ref('dim_products_history') }}
    where {{ snowmelt.is_affected('product_key') }}

),

products as (

    select *
    from {{ ref('dim_products') }}
    where {{ snowmelt.is_affected('product_key') }}

),

sales as (

    select
        sales.product_key,
        sales.product_number,
        sales.sales_amount,
        sales.quantity,
        versions.cost * sales.quantity as cost
    from {{ ref('fact_sales') }} as sales
    left join versions
        on sales.product_version_key = versions.product_version_key
    where {{ snowmelt.is_affected('sales.product_key') }}

),

summed as (

    select
        product_key,
        product_number,
        cast(sum(quantity) as bigint) as quantity,
        cast(sum(sales_amount) as decimal(24, 2)) as revenue,
        cast(coalesce(sum(case when cost is null then sales_amount end), 0) as decimal(24, 2)) as revenue_without_cost,
        cast(sum(cost) as decimal(24, 2)) as cost,
        cast(sum(sales_amount - cost) as decimal(24, 2)) as profit
    from sales
    group by product_key, product_number

),

final as (

    select
        ---------- keys
        summed.product_key,
        summed.product_number,

        ---------- attributes
        coalesce(products.product_name, 'n/a') as product_name,
        coalesce(products.category, 'n/a') as category,

        ---------- sales
        summed.quantity,
        summed.revenue,
        summed.revenue_without_cost,

        ---------- profit; null where no cost is known
        summed.cost,
        summed.profit,
        {{ divided(
            'summed.profit * 10000',
            'cast(100 * (summed.revenue - summed.revenue_without_cost) as bigint)',
        ) }} as margin_percent

    from summed
    left join products
        on summed.product_key = products.product_key

)

select * from final
