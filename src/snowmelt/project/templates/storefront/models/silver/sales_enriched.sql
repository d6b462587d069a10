-- Grain: one row per sale whose customer and product are known. The others are in orphan_sales,
-- until what they lack arrives.
--
-- A sale is made again when it, its customer or its product changes. A snapshot that was sent
-- again changes where a customer comes from and nothing that a sale shows: the columns say so.

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
        select customer_id
        from {{ snowmelt.stream(ref('customers_clean'), columns=['customer_id', 'name', 'country']) }}
    )

    union all

    select sale_id
    from {{ ref('sales_clean') }}
    where product_id in (
        select product_id
        from {{ snowmelt.stream(ref('products_clean'), columns=['product_id', 'name', 'category', 'price']) }}
    )

{% endcall %}

sales as (

    select *
    from {{ ref('sales_clean') }}
    where {{ snowmelt.is_affected('sale_id') }}

),

customers as (

    select *
    from {{ ref('customers_clean') }}
    where customer_id in (select customer_id from sales)

),

products as (

    select *
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
        customers.name as customer_name,
        customers.country,
        products.name as product_name,
        products.category,

        ---------- times
        sales.sale_date,

        ---------- measures, money in EUR
        cast(sales.quantity as integer) as quantity,
        products.price,
        cast(cast(sales.quantity as integer) * products.price as decimal(18, 2)) as total_amount,

        ---------- origin, of the sale
        sales._file,
        sales._file_row,
        sales._load_seq

    from sales
    inner join customers
        on sales.customer_id = customers.customer_id
    inner join products
        on sales.product_id = products.product_id

)

select * from joined
