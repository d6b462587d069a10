-- What is sold as a whole: read by the figures of sales.yml.
select
    coalesce(sum(sales), 0) as sales,
    coalesce(sum(transactions), 0)::bigint as transactions,
    coalesce(sum(quantity), 0) as quantity
from {{ ref('daily_sales_analysis') }}
where {{ filter('period', 'sale_date') }}
    and {{ filter('category', 'category') }}
    and {{ filter('customer_type', 'customer_type') }}
