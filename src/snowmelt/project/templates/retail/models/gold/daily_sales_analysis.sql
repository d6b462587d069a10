-- Grain: one row per day, product and customer with a transaction.
--
-- A view: category and type are what product and customer have now, whenever that changes.

{{ config(materialized='view') }}

with

sales as (

    select * from {{ ref('daily_sales') }}

),

products as (

    select * from {{ ref('dim_products') }}

),

customers as (

    select * from {{ ref('dim_customers') }}

),

joined as (

    select
        ---------- keys
        sales.sale_date,
        sales.product_id,
        sales.customer_id,

        ---------- attributes
        products.name as product_name,
        products.category,
        customers.name as customer_name,
        customers.customer_type,

        ---------- sums, money in EUR
        sales.quantity,
        sales.sales,
        sales.transactions,

        ---------- averages
        {{ snowmelt.average('sales.sales', 'sales.quantity') }} as average_price_per_unit,
        {{ snowmelt.average('sales.sales', 'sales.transactions') }} as average_transaction_value

    from sales
    inner join products
        on sales.product_id = products.product_id
    inner join customers
        on sales.customer_id = customers.customer_id

)

select * from joined
