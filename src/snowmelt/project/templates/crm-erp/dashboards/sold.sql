-- What is sold as a whole: read by the figures of sales.yml.
select
    coalesce(sum(sales.sales_amount), 0) as revenue,
    count(distinct sales.order_number) as orders,
    count(distinct sales.customer_key) as customers,
    coalesce(sum(sales.quantity), 0) as quantity
from {{ ref('fact_sales') }} as sales
left join {{ ref('dim_customers') }} as customers using (customer_key)
left join {{ ref('dim_products') }} as products using (product_key)
where {{ filter('period', 'sales.order_date') }}
    and {{ filter('country', 'customers.country') }}
    and {{ filter('category', 'products.category') }}
