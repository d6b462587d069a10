-- Grain: one row per day, product and customer with a transaction.
--
-- Only sums, and nothing that a customer or product may change later: who becomes a premium
-- customer touches no day of the past. What they are called is added by daily_sales_analysis.

{{
    config(
        materialized='affected_keys',
        unique_key=['sale_date', 'product_id', 'customer_id'],
        cluster_by='sale_date',
    )
}}

with

{% call snowmelt.affected() %}

    select sale_date, product_id, customer_id
    from {{
        snowmelt.stream(
            ref('transactions'),
            columns=['sale_date', 'product_id', 'customer_id', 'quantity', 'total_amount'],
        )
    }}

{% endcall %}

transactions as (

    select *
    from {{ ref('transactions') }}
    where {{ snowmelt.is_affected('sale_date', 'product_id', 'customer_id') }}

),

final as (

    select
        ---------- keys
        sale_date,
        product_id,
        customer_id,

        ---------- sums, money in EUR
        cast(coalesce(sum(quantity), 0) as bigint) as quantity,
        cast(sum(total_amount) as decimal(18, 2)) as sales,
        count(*) as transactions

    from transactions
    group by sale_date, product_id, customer_id

)

select * from final
