-- Grain: one row per day and type of store with a transaction.

{{
    config(
        materialized='affected_keys',
        unique_key=['sale_date', 'store_type'],
    )
}}

with

{% call snowmelt.affected() %}

    select sale_date, store_type
    from {{
        snowmelt.stream(
            ref('transactions'),
            columns=['sale_date', 'store_type', 'customer_id', 'quantity', 'total_amount'],
        )
    }}

{% endcall %}

transactions as (

    select *
    from {{ ref('transactions') }}
    where {{ snowmelt.is_affected('sale_date', 'store_type') }}

),

summed as (

    select
        sale_date,
        store_type,
        sum(quantity) as quantity,
        sum(total_amount) as sales,
        count(*) as transactions,
        count(distinct nullif(customer_id, '')) as customers
    from transactions
    group by sale_date, store_type

),

final as (

    select
        ---------- keys
        sale_date,
        store_type,

        ---------- sums, money in EUR
        cast(coalesce(quantity, 0) as bigint) as quantity,
        cast(sales as decimal(18, 2)) as sales,
        transactions,
        customers,
        {{ snowmelt.average('sales', 'transactions') }} as average_transaction_value

    from summed

)

select * from final
