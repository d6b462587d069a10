-- Every figure of silver is in gold once: no join fans out, none drops a row.
-- An item or payment counts in fct_orders when its order has arrived; until then an item is
-- in fct_order_items without the time of purchase, which every order has.

with

orders as (

    select * from {{ ref('orders') }}

),

items as (

    select * from {{ ref('order_items') }}

),

payments as (

    select * from {{ ref('order_payments') }}

),

waiting as (

    select
        count(*) as items,
        coalesce(sum(price), 0) as price_value,
        coalesce(sum(freight_value), 0) as freight_value
    from {{ ref('fct_order_items') }}
    where purchased_at is null

),

payments_of_orders as (

    select sum(payment_value) as payment_value
    from payments
    where order_id in (select order_id from orders)

),

facts as (

    select
        count(*) as orders,
        coalesce(sum(item_count), 0) as items,
        coalesce(sum(price_value), 0) as price_value,
        coalesce(sum(freight_value), 0) as freight_value,
        sum(order_value) as order_value,
        sum(payment_value) as payment_value,
        count(customer_unique_id) as orders_with_customer
    from {{ ref('fct_orders') }}

),

figures as (

    select
        'fct_orders: orders' as figure,
        cast((select count(*) from orders) as decimal(18, 2)) as expected,
        cast((select orders from facts) as decimal(18, 2)) as found

    union all

    select
        'fct_orders: items',
        (select count(*) from items),
        (select items from facts) + (select items from waiting)

    union all

    select
        'fct_orders: price_value',
        (select sum(price) from items),
        (select price_value from facts) + (select price_value from waiting)

    union all

    select
        'fct_orders: freight_value',
        (select sum(freight_value) from items),
        (select freight_value from facts) + (select freight_value from waiting)

    union all

    select
        'fct_orders: payment_value',
        (select payment_value from payments_of_orders),
        (select payment_value from facts)

    union all

    select
        'fct_order_items: items',
        (select count(*) from items),
        (select count(*) from {{ ref('fct_order_items') }})

    union all

    select
        'fct_order_items: item_value',
        (select sum(price) + sum(freight_value) from items),
        (select sum(item_value) from {{ ref('fct_order_items') }})

    union all

    select
        'dim_products: products',
        (select count(*) from {{ ref('products') }}),
        (select count(*) from {{ ref('dim_products') }})

    union all

    select
        'dim_customers: orders',
        (select orders_with_customer from facts),
        (select sum(orders) from {{ ref('dim_customers') }})

    union all

    select
        'monthly_metrics: orders',
        (select orders from facts),
        (select sum(orders) from {{ ref('monthly_metrics') }})

    union all

    select
        'monthly_metrics: order_value',
        (select order_value from facts),
        (select sum(order_value) from {{ ref('monthly_metrics') }})

    union all

    select
        'orders_by_state: orders',
        (select orders from facts),
        (select sum(orders) from {{ ref('orders_by_state') }})

    union all

    select
        'orders_by_state: order_value',
        (select order_value from facts),
        (select sum(order_value) from {{ ref('orders_by_state') }})

    union all

    select
        'category_sales: items',
        (select count(*) from items),
        (select sum(item_count) from {{ ref('category_sales') }})

    union all

    select
        'category_sales: price_value',
        (select sum(price) from items),
        (select sum(price_value) from {{ ref('category_sales') }})

    union all

    select
        'seller_performance: price_value',
        (select sum(price) from items),
        (select sum(price_value) from {{ ref('seller_performance') }})

)

select *
from figures
where coalesce(expected, 0) <> coalesce(found, 0)
