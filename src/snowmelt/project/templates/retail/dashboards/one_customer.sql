-- One customer as a whole: read by the figures of customer.yml.
select
    coalesce(sum(sales), 0) as sales,
    coalesce(sum(transactions), 0)::bigint as transactions,
    min(sale_date) as first_day,
    max(sale_date) as last_day
from {{ ref('daily_sales') }}
where {{ filter('customer', 'customer_id') }}
