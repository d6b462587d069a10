-- title: Orders per minute, the last hour of events
-- chart: line
-- x: minute
-- y: orders, revenue

-- The hour ends with the newest event, not with the clock: a feed that stands still still shows.
with

newest as (

    select max(ordered_at) as ordered_at from gold.fact_orders

)

select
    date_trunc('minute', orders.ordered_at) as minute,
    count(*) as orders,
    sum(orders.revenue) as revenue
from gold.fact_orders as orders
cross join newest
where orders.ordered_at > newest.ordered_at - interval 1 hour
group by 1
order by 1
