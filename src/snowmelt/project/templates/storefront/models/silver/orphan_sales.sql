-- Grain: one row per sale whose customer or product is not known, or not any more.
--
-- A sale leaves by itself, into sales_enriched, when what it lacks arrives.

{{
    config(
        materialized='affected_keys',
        unique_key='sale_id',
    )
}}

with

{% call snowmelt.affected() %}

    select sale_id from {{ snowmelt.stream(ref('sales_clean')) }}

    union all

    select sale_id
    from {{ ref('sales_clean') }}
    where customer_id in (
        select customer_id from {{ snowmelt.stream(ref('customers_clean'), columns=['customer_id']) }}
    )

    union all

    select sale_id
    from {{ ref('sales_clean') }}
    where product_id in (
        select product_id from {{ snowmelt.stream(ref('products_clean'), columns=['product_id']) }}
    )

{% endcall %}

sales as (

    select *
    from {{ ref('sales_clean') }}
    where {{ snowmelt.is_affected('sale_id') }}

),

customers as (

    select customer_id
    from {{ ref('customers_clean') }}
    where customer_id in (select customer_id from sales)

),

products as (

    select product_id
    from {{ ref('products_clean') }}
    where product_id in (select product_id from sales)

),

joined as (

    select
        ---------- keys
        sales.sale_id,
        sales.customer_id,
        sales.product_id,

        ---------- attributes
        case
            when customers.customer_id is null and products.product_id is null then 'customer and product'
            when customers.customer_id is null then 'customer'
            else 'product'
        end as lacks,

        ---------- times
        sales.sale_date,

        ---------- measures
        cast(sales.quantity as integer) as quantity,

        ---------- origin
        sales._file,
        sales._file_row,
        sales._load_seq

    from sales
    left join customers
        on sales.customer_id = customers.customer_id
    left join products
        on sales.product_id = products.product_id
    where customers.customer_id is null or products.product_id is null

)

select * from joined
