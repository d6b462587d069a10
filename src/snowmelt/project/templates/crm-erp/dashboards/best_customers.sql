-- title: The ten customers who bring most
-- chart: table
-- x: customer_name
-- y: lifetime_value
select
    customer_id, customer_name, segment, orders, lifetime_value, average_order_value,
    first_order_date, last_order_date
from gold.customer_lifetime_value
order by lifetime_value desc, customer_id
limit 10
