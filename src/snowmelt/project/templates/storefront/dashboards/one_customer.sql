-- One customer as a whole: read by the figures of customer.yml.
select
    coalesce(sum(total_spent), 0) as total_spent,
    coalesce(sum(number_of_sales), 0)::bigint as number_of_sales,
    min(first_sale_date) as first_sale_date,
    max(last_sale_date) as last_sale_date
from {{ ref('client_activity') }}
where {{ filter('customer', 'customer_id') }}
