-- Every sale of sales_clean is in sales_enriched or in orphan_sales, once, and gold adds up to
-- the sales that are enriched.

with

enriched as (

    select
        count(*) as sales,
        sum(quantity) as quantity,
        sum(total_amount) as total_amount
    from {{ ref('sales_enriched') }}

),

orphans as (

    select
        count(*) as sales,
        coalesce(sum(quantity), 0) as quantity
    from {{ ref('orphan_sales') }}

),

clean as (

    select
        count(*) as sales,
        sum(quantity) as quantity
    from {{ ref('sales_clean') }}

),

figures as (

    select
        'sales_clean: sales' as figure,
        cast((select sales from clean) as decimal(18, 2)) as expected,
        cast((select sales from enriched) + (select sales from orphans) as decimal(18, 2)) as found

    union all

    select
        'sales_clean: quantity',
        (select quantity from clean),
        coalesce((select quantity from enriched), 0) + (select quantity from orphans)

    union all

    select
        'sales_by_country: number_of_sales',
        (select sales from enriched),
        (select sum(number_of_sales) from {{ ref('sales_by_country') }})

    union all

    select
        'sales_by_country: total_sales',
        (select total_amount from enriched),
        (select sum(total_sales) from {{ ref('sales_by_country') }})

    union all

    select
        'top_products: quantity_sold',
        (select quantity from enriched),
        (select sum(quantity_sold) from {{ ref('top_products') }})

    union all

    select
        'top_products: total_sales',
        (select total_amount from enriched),
        (select sum(total_sales) from {{ ref('top_products') }})

    union all

    select
        'client_activity: number_of_sales',
        (select sales from enriched),
        (select sum(number_of_sales) from {{ ref('client_activity') }})

    union all

    select
        'client_activity: total_spent',
        (select total_amount from enriched),
        (select sum(total_spent) from {{ ref('client_activity') }})

)

select *
from figures
where coalesce(expected, 0) <> coalesce(found, 0)
