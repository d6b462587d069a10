-- Grain: one row per country of a customer with a sale.

{{
    config(
        materialized='affected_keys',
        unique_key='country',
    )
}}

with

{% call snowmelt.affected() %}

    select coalesce(country, 'UNKNOWN') as country
    from {{ snowmelt.stream(ref('sales_enriched'), columns=['country', 'customer_id', 'total_amount']) }}

{% endcall %}

sales as (

    select
        coalesce(country, 'UNKNOWN') as country,
        customer_id,
        total_amount
    from {{ ref('sales_enriched') }}

),

final as (

    select
        country,
        cast(sum(total_amount) as decimal(18, 2)) as total_sales,
        count(*) as number_of_sales,
        count(distinct customer_id) as number_of_customers
    from sales
    where {{ snowmelt.is_affected('country') }}
    group by country

)

select * from final
