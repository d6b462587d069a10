-- Grain: one row per customer, with a sale or without.

{{
    config(
        materialized='affected_keys',
        unique_key='customer_id',
    )
}}

with

{% call snowmelt.affected() %}

    select customer_id
    from {{ snowmelt.stream(ref('customers_clean'), columns=['customer_id', 'name', 'country', 'email']) }}

    union all

    select customer_id
    from {{
        snowmelt.stream(
            ref('sales_enriched'),
            columns=['customer_id', 'product_id', 'sale_date', 'quantity', 'total_amount'],
        )
    }}

{% endcall %}

customers as (

    select *
    from {{ ref('customers_clean') }}
    where {{ snowmelt.is_affected('customer_id') }}

),

sales_by_customer as (

    select
        customer_id,
        count(*) as number_of_sales,
        sum(quantity) as quantity_bought,
        count(distinct product_id) as number_of_products,
        sum(total_amount) as total_spent,
        min(sale_date) as first_sale_date,
        max(sale_date) as last_sale_date
    from {{ ref('sales_enriched') }}
    where {{ snowmelt.is_affected('customer_id') }}
    group by customer_id

),

joined as (

    select
        ---------- keys
        customers.customer_id,

        ---------- attributes
        customers.name,
        customers.country,
        customers.email,

        ---------- sales, money in EUR
        coalesce(sales.number_of_sales, 0) as number_of_sales,
        cast(coalesce(sales.quantity_bought, 0) as bigint) as quantity_bought,
        coalesce(sales.number_of_products, 0) as number_of_products,
        cast(coalesce(sales.total_spent, 0) as decimal(18, 2)) as total_spent,

        ---------- times; null without a sale
        sales.first_sale_date,
        sales.last_sale_date

    from customers
    left join sales_by_customer as sales
        on customers.customer_id = sales.customer_id

)

select * from joined
