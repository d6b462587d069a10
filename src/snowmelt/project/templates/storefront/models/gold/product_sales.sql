-- Grain: one row per product with a sale.

{{
    config(
        materialized='affected_keys',
        unique_key='product_id',
    )
}}

with

{% call snowmelt.affected() %}

    select product_id
    from {{
        snowmelt.stream(
            ref('sales_enriched'),
            columns=['product_id', 'product_name', 'category', 'customer_id', 'quantity', 'total_amount'],
        )
    }}

{% endcall %}

sales as (

    select *
    from {{ ref('sales_enriched') }}
    where {{ snowmelt.is_affected('product_id') }}

),

final as (

    select
        ---------- keys
        product_id,

        ---------- attributes
        product_name,
        category,

        ---------- sales, money in EUR
        cast(sum(total_amount) as decimal(18, 2)) as total_sales,
        count(*) as number_of_sales,
        cast(sum(quantity) as bigint) as quantity_sold,
        count(distinct customer_id) as number_of_customers

    from sales
    group by product_id, product_name, category

)

select * from final
