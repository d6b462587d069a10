-- Grain: one row per product with a sale, known or not (yet).

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

    select product_key from {{ snowmelt.stream(ref('dim_products')) }}

{% endcall %}

products as (

    select *
    from {{ ref('dim_products') }}
    where {{ snowmelt.is_affected('product_key') }}

),

sales_by_product as (

    select
        product_key,
        product_number,
        count(distinct order_number) as orders,
        count(distinct customer_key) as customers,
        cast(sum(quantity) as bigint) as quantity,
        cast(sum(sales_amount) as decimal(24, 2)) as revenue,
        min(order_date) as first_order_date,
        max(order_date) as last_order_date
    from {{ ref('fact_sales') }}
    where {{ snowmelt.is_affected('product_key') }}
    group by product_key, product_number

),

joined as (

    select
        ---------- keys
        sales.product_key,
        sales.product_number,

        ---------- attributes
        coalesce(products.product_name, 'n/a') as product_name,
        coalesce(products.category, 'n/a') as category,
        coalesce(products.subcategory, 'n/a') as subcategory,
        coalesce(products.product_line, 'n/a') as product_line,
        products.product_key is not null as is_known,

        ---------- sales
        sales.orders,
        sales.customers,
        sales.quantity,
        sales.revenue,
        {{ divided('sales.revenue', 'sales.quantity') }} as average_price,

        ---------- times
        sales.first_order_date,
        sales.last_order_date

    from sales_by_product as sales
    left join products
        on sales.product_key = products.product_key

)

select * from joined
