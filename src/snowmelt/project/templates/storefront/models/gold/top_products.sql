-- Grain: one row per product with a sale, the one that brought most first.
--
-- One sale can move every rank, so this is made as a whole, from one row per product.

with

products as (

    select * from {{ ref('product_sales') }}

),

ranked as (

    select
        ---------- keys
        rank() over (order by total_sales desc) as sales_rank,
        product_id,

        ---------- attributes
        product_name,
        category,
        rank() over (partition by category order by total_sales desc) as rank_in_category,

        ---------- sales, money in EUR
        total_sales,
        number_of_sales,
        quantity_sold,
        number_of_customers

    from products

)

select *
from ranked
order by sales_rank, product_id
