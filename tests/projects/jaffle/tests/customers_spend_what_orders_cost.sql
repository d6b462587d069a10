with

spent as (select sum(lifetime_spend) as total from {{ ref('customers') }}),

cost as (select sum(order_total) as total from {{ ref('orders') }})

select spent.total as spent, cost.total as cost
from spent, cost
where spent.total <> cost.total
