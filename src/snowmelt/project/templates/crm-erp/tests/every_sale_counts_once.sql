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
        sum(case when order_date is not null then quantity end) as dated_quantity,
        sum(case when order_date is not null then sales_amount end) as dated_revenue
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
        count(case when orders > 0 then 1 end) as customers,
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

totals as (

    select
        facts.dated_quantity as facts_dated_quantity,
        facts.dated_revenue as facts_dated_revenue,
        facts.quantity as facts_quantity,
        facts.revenue as facts_revenue,
        facts.sales as facts_sales,
        lifetime.customers as lifetime_customers,
        lifetime.quantity as lifetime_quantity,
        lifetime.revenue as lifetime_revenue,
        performance.products as performance_products,
        performance.quantity as performance_quantity,
        performance.revenue as performance_revenue,
        profits.parts as profits_parts,
        profits.products as profits_products,
        profits.quantity as profits_quantity,
        profits.revenue as profits_revenue,
        report.customers as report_customers,
        report.quantity as report_quantity,
        report.revenue as report_revenue,
        sales.quantity as sales_quantity,
        sales.revenue as sales_revenue,
        sales.sales as sales_sales,
        segments.customers as segments_customers,
        segments.revenue as segments_revenue,
        trends.quantity as trends_quantity,
        trends.revenue as trends_revenue
    from sales
    cross join facts
    cross join trends
    cross join report
    cross join lifetime
    cross join segments
    cross join performance
    cross join profits

),

figures as (

    select 'fact_sales: rows' as figure, sales_sales as expected, facts_sales as found from totals
    union all
    select 'fact_sales: quantity', sales_quantity, facts_quantity from totals
    union all
    select 'fact_sales: sales_amount', sales_revenue, facts_revenue from totals
    union all
    select 'sales_trends: quantity', facts_dated_quantity, trends_quantity from totals
    union all
    select 'sales_trends: revenue', facts_dated_revenue, trends_revenue from totals
    union all
    select 'customer_sales_report: quantity', sales_quantity, report_quantity from totals
    union all
    select 'customer_sales_report: revenue', sales_revenue, report_revenue from totals
    union all
    select 'customer_lifetime_value: rows', report_customers, lifetime_customers from totals
    union all
    select 'customer_lifetime_value: quantity', sales_quantity, lifetime_quantity from totals
    union all
    select 'customer_lifetime_value: revenue', sales_revenue, lifetime_revenue from totals
    union all
    select 'customer_segments: customers', lifetime_customers, segments_customers from totals
    union all
    select 'customer_segments: revenue', sales_revenue, segments_revenue from totals
    union all
    select 'product_performance: quantity', sales_quantity, performance_quantity from totals
    union all
    select 'product_performance: revenue', sales_revenue, performance_revenue from totals
    union all
    select 'profit_analysis: rows', performance_products, profits_products from totals
    union all
    select 'profit_analysis: quantity', sales_quantity, profits_quantity from totals
    union all
    select 'profit_analysis: revenue', sales_revenue, profits_revenue from totals
    union all
    select 'profit_analysis: cost and profit', sales_revenue, profits_parts from totals

)

select *
from figures
where coalesce(expected, 0) <> coalesce(found, 0)
