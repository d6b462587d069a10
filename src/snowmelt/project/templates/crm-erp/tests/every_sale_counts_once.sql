-- Every sale of silver is in fact_sales once, and each report adds up to it. A dimension that is not
-- unique doubles the sales that are joined to it: their number and their sums show it.

with

sales as (

    select
        count(*) as sales,
        sum(quantity) as quantity,
        sum(sales_amount) as revenue
    from {{ ref('crm_sales') }}

),

facts as (

    select
        count(*) as sales,
        sum(quantity) as quantity,
        sum(sales_amount) as revenue,
        sum(quantity) filter (order_date is not null) as dated_quantity,
        sum(sales_amount) filter (order_date is not null) as dated_revenue
    from {{ ref('fact_sales') }}

),

trends as (

    select
        sum(quantity) as quantity,
        sum(revenue) as revenue
    from {{ ref('sales_trends') }}

),

report as (

    select
        count(*) filter (orders > 0) as customers,
        sum(quantity) as quantity,
        sum(revenue) as revenue
    from {{ ref('customer_sales_report') }}

),

lifetime as (

    select
        count(*) as customers,
        sum(quantity) as quantity,
        sum(lifetime_value) as revenue
    from {{ ref('customer_lifetime_value') }}

),

segments as (

    select
        sum(customers) as customers,
        sum(revenue) as revenue
    from {{ ref('customer_segments') }}

),

performance as (

    select
        count(*) as products,
        sum(quantity) as quantity,
        sum(revenue) as revenue
    from {{ ref('product_performance') }}

),

profits as (

    select
        count(*) as products,
        sum(quantity) as quantity,
        sum(revenue) as revenue,
        sum(revenue_without_cost) + coalesce(sum(cost), 0) + coalesce(sum(profit), 0) as parts
    from {{ ref('profit_analysis') }}

),

figures as (

    select unnest([
        {'figure': 'fact_sales: rows', 'expected': sales.sales, 'found': facts.sales},
        {'figure': 'fact_sales: quantity', 'expected': sales.quantity, 'found': facts.quantity},
        {'figure': 'fact_sales: sales_amount', 'expected': sales.revenue, 'found': facts.revenue},
        {'figure': 'sales_trends: quantity', 'expected': facts.dated_quantity, 'found': trends.quantity},
        {'figure': 'sales_trends: revenue', 'expected': facts.dated_revenue, 'found': trends.revenue},
        {'figure': 'customer_sales_report: quantity', 'expected': sales.quantity, 'found': report.quantity},
        {'figure': 'customer_sales_report: revenue', 'expected': sales.revenue, 'found': report.revenue},
        {'figure': 'customer_lifetime_value: rows', 'expected': report.customers, 'found': lifetime.customers},
        {'figure': 'customer_lifetime_value: quantity', 'expected': sales.quantity, 'found': lifetime.quantity},
        {'figure': 'customer_lifetime_value: revenue', 'expected': sales.revenue, 'found': lifetime.revenue},
        {'figure': 'customer_segments: customers', 'expected': lifetime.customers, 'found': segments.customers},
        {'figure': 'customer_segments: revenue', 'expected': sales.revenue, 'found': segments.revenue},
        {'figure': 'product_performance: quantity', 'expected': sales.quantity, 'found': performance.quantity},
        {'figure': 'product_performance: revenue', 'expected': sales.revenue, 'found': performance.revenue},
        {'figure': 'profit_analysis: rows', 'expected': performance.products, 'found': profits.products},
        {'figure': 'profit_analysis: quantity', 'expected': sales.quantity, 'found': profits.quantity},
        {'figure': 'profit_analysis: revenue', 'expected': sales.revenue, 'found': profits.revenue},
        {'figure': 'profit_analysis: cost and profit', 'expected': sales.revenue, 'found': profits.parts}
    ], recursive := true)
    from sales, facts, trends, report, lifetime, segments, performance, profits

)

select *
from figures
where coalesce(expected, 0) <> coalesce(found, 0)
