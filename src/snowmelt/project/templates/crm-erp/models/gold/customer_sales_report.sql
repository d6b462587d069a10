-- Grain: one row per customer, with a sale or without; and one per customer that sales name and
-- the CRM does not know (yet).

{{
    config(
        materialized='affected_keys',
        unique_key='customer_key',
    )
}}

with

{% call snowmelt.affected() %}

    select customer_key from {{ snowmelt.stream(ref('dim_customers')) }}

    union all

    select customer_key from {{ snowmelt.stream(ref('fact_sales')) }}

{% endcall %}

customers as (

    select *
    from {{ ref('dim_customers') }}
    where {{ snowmelt.is_affected('customer_key') }}

),

sales_by_customer as (

    select
        customer_key,
        customer_id,
        count(distinct order_number) as orders,
        count(distinct product_key) as products,
        cast(sum(quantity) as bigint) as quantity,
        cast(sum(sales_amount) as decimal(24, 2)) as revenue,
        min(order_date) as first_order_date,
        max(order_date) as last_order_date
    from {{ ref('fact_sales') }}
    where {{ snowmelt.is_affected('customer_key') }}
    group by customer_key, customer_id

),

joined as (

    select
        ---------- keys
        coalesce(customers.customer_key, sales.customer_key) as customer_key,
        coalesce(customers.customer_id, sales.customer_id) as customer_id,
        customers.customer_number,

        ---------- attributes
        coalesce(
            nullif({{ snowmelt.joined(' ', ['customers.first_name', 'customers.last_name']) }}, ''), 'n/a'
        ) as customer_name,
        coalesce(customers.country, 'n/a') as country,
        coalesce(customers.gender, 'n/a') as gender,
        customers.customer_key is not null as is_known,

        ---------- sales
        coalesce(sales.orders, 0) as orders,
        coalesce(sales.products, 0) as products,
        coalesce(sales.quantity, 0) as quantity,
        coalesce(sales.revenue, 0) as revenue,
        {{ divided('sales.revenue', 'sales.orders') }} as average_order_value,

        ---------- times; null without an order that has a day
        sales.first_order_date,
        sales.last_order_date

    from customers
    full join sales_by_customer as sales
        on customers.customer_key = sales.customer_key

)

select * from joined
