-- What gold adds up is what silver has, to the cent.

with

silver as (

    select
        count(*) as transactions,
        coalesce(sum(quantity), 0) as quantity,
        coalesce(sum(total_amount), 0) as sales
    from {{ ref('transactions') }}

),

sums as (

    select
        'daily_sales' as model,
        coalesce(sum(transactions), 0) as transactions,
        coalesce(sum(quantity), 0) as quantity,
        coalesce(sum(sales), 0) as sales
    from {{ ref('daily_sales') }}

    union all

    select
        'sales_by_day',
        coalesce(sum(transactions), 0),
        coalesce(sum(quantity), 0),
        coalesce(sum(sales), 0)
    from {{ ref('sales_by_day') }}

)

select
    sums.*,
    silver.transactions as transactions_in_silver,
    silver.quantity as quantity_in_silver,
    silver.sales as sales_in_silver
from sums
cross join silver
where sums.transactions <> silver.transactions
    or sums.quantity <> silver.quantity
    or sums.sales <> silver.sales
