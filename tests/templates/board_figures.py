"""The figures of each template's dashboards against gold, asked for in other words.

Where a dashboard joins, sums up and filters by what was chosen, these write the dates
out, count in subqueries, and start from other tables. Each is (dashboard, what is
chosen, card) and what its rows are; of a card with many columns those that are named.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from asking import ask

from snowmelt.service.commands import OwnCommands

Case = tuple[str, str | None, str, str, str]
_OLIST_YEAR = """(
    select o.* from gold.fct_orders o,
        (select cast(strftime(max(purchased_at), '%Y-%m-01') as date) as m
         from gold.fct_orders) newest
    where o.purchased_at >= newest.m - interval 11 month
)"""
_OLIST_BEFORE = """(
    select o.* from gold.fct_orders o,
        (select max(purchased_at)::date as d from gold.fct_orders) newest
    where o.purchased_at >= date_trunc('month', newest.d) - interval 23 month
        and o.purchased_at < newest.d - interval 12 month + interval 1 day
)"""
_CRM_YEAR = """(
    select s.* from gold.fact_sales s
    where s.order_date >= (
        select date_trunc('month', max(order_date)) - interval 11 month
        from gold.fact_sales
    )
)"""
_RETAIL_QUARTER = """(
    select s.* from gold.fct_transactions s
    where s.sale_date > (select max(sale_date) from gold.fct_transactions) - 90
)"""
_REALTIME_YEAR = """(
    select o.* from gold.fact_orders o
    where o.ordered_at >= (
        select date_trunc('month', max(ordered_at)) - interval 11 month
        from gold.fact_orders
    )
)"""
OLIST: list[Case] = [
    (
        "executive",
        None,
        "Order value",
        "*",
        f"select sum(order_value) from {_OLIST_YEAR}",
    ),
    ("executive", None, "Orders", "*", f"select count(order_id) from {_OLIST_YEAR}"),
    (
        *("executive", None, "Average order value", "*"),
        f"select round(avg(order_value), 2) from {_OLIST_YEAR}",
    ),
    (
        *("executive", None, "Active customers", "*"),
        "select count(*) from (select customer_unique_id from "
        f"{_OLIST_YEAR} group by 1) where customer_unique_id is not null",
    ),
    (
        *(
            "executive",
            "period=all",
            "Order value by month",
            "month,order_value,orders",
        ),
        "select month, order_value, orders from gold.monthly_metrics order by month",
    ),
    (
        *("executive", "period=all&state=SP", "Orders", "*"),
        "select sum(orders) from gold.orders_by_state where customer_state = 'SP'",
    ),
    (
        *("executive", "period=all&state=SP&state=RJ", "Order value by month"),
        "month,order_value",
        "select month, sum(order_value) from gold.orders_by_state "
        "where customer_state in ('SP', 'RJ') group by month order by month",
    ),
    (
        *("executive", "period=all", "Order value by state of the customer"),
        "customer_state,order_value",
        "select nullif(customer_state, 'unknown') as s, sum(order_value) as v "
        "from gold.orders_by_state group by 1 order by v desc, s",
    ),
    (
        *("executive", "period=all", "Sales by category", "category,price_value"),
        "select category, price_value from gold.category_sales "
        "order by price_value desc, category limit 8",
    ),
    (
        *("sales", "period=all", "Sales", "sales"),
        "select sum(price_value) from gold.category_sales",
    ),
    (
        *("sales", "period=all", "Items sold", "items"),
        "select sum(item_count) from gold.fct_orders",
    ),
    (
        *("sales", "period=all&category=baby", "Sales", "sales"),
        "select price_value from gold.category_sales where category = 'baby'",
    ),
    (
        *("customers", None, "Customers with an order", "*"),
        "select count(*) from gold.dim_customers where orders >= 1",
    ),
    (
        *("customers", None, "Of them with two or more", "*"),
        "select count(*) from gold.repeat_customers",
    ),
    (
        *("customers", None, "Active and new customers by month", "*"),
        "select month, active_customers, new_customers from gold.monthly_metrics "
        "order by month",
    ),
    (
        *("customers", "segment=lost&segment=loyal", "Customers with an order", "*"),
        "select count(*) from gold.rfm_segments where segment like 'lo%'",
    ),
    (
        *("customers", None, "How often people buy", "customers"),
        "select (select count(*) from gold.dim_customers where orders >= often) "
        "from (select unnest([1, 2, 3]) as often)",
    ),
    (
        *("delivery", "period=all", "Late deliveries", "*"),
        "select round((select count(*) from gold.late_deliveries) "
        "/ (select sum(delivered_orders) from (select count(*) as delivered_orders "
        "from gold.fct_orders where is_late is not null)), 4)",
    ),
    (
        *("delivery", None, "Delivered orders", "*"),
        f"select count(*) from {_OLIST_YEAR} where is_late is not null",
    ),
]
CRM_ERP: list[Case] = [
    ("executive", None, "Revenue", "*", f"select sum(sales_amount) from {_CRM_YEAR}"),
    (
        *("executive", None, "Orders", "*"),
        f"select count(*) from (select distinct order_number from {_CRM_YEAR})",
    ),
    (
        *(
            "executive",
            "period=all",
            "Revenue by month",
            "month,revenue,orders,customers",
        ),
        "select month, revenue, orders, customers from gold.sales_trends "
        "order by month",
    ),
    (
        *("executive", "period=all", "Revenue by country", "country,revenue"),
        "select country, sum(revenue) as v from gold.customer_sales_report "
        "where orders > 0 group by 1 order by v desc, country",
    ),
    (
        *("executive", "period=all", "Revenue and profit by category", "*"),
        "select category, sum(revenue) as v, sum(profit) from gold.profit_analysis "
        "group by 1 order by v desc, category",
    ),
    (
        *("sales", None, "Revenue", "revenue"),
        "select sum(revenue) from gold.product_performance",
    ),
    (
        *("sales", "country=Germany", "Revenue", "revenue"),
        "select sum(revenue) from gold.customer_sales_report where country = 'Germany'",
    ),
    (
        *("sales", "category=Tools", "Pieces", "quantity"),
        "select sum(quantity) from gold.product_performance where category = 'Tools'",
    ),
    (
        *("customers", None, "Customers by segment", "*"),
        "select segment, customers, revenue from gold.customer_segments "
        "order by customers desc, segment",
    ),
    (
        *("customers", None, "Customers with a sale", "*"),
        "select sum(customers) from gold.customer_segments",
    ),
    (
        *("shipping", "period=all", "Lines shipped", "*"),
        "select count(*) from gold.fact_sales where ship_date is not null",
    ),
]
RETAIL: list[Case] = [
    (
        "executive",
        None,
        "Sales",
        "*",
        f"select sum(total_amount) from {_RETAIL_QUARTER}",
    ),
    ("executive", None, "Transactions", "*", f"select count(*) from {_RETAIL_QUARTER}"),
    (
        *("executive", None, "Active customers", "*"),
        "select count(*) from (select customer_id from "
        f"{_RETAIL_QUARTER} where customer_id <> '' group by 1)",
    ),
    (
        *("sales", None, "Sales in EUR", "sales"),
        "select sum(total_amount) from gold.fct_transactions",
    ),
    (
        *("sales", "customer_type=Premium", "Sales in EUR", "sales"),
        "select sum(total_amount) from gold.fct_transactions where customer_id in "
        "(select customer_id from gold.dim_customers where customer_type = 'Premium')",
    ),
    (
        *("sales", "period=2024-03-01..2024-03-31", "Transactions", "transactions"),
        "select count(*) from gold.fct_transactions "
        "where transaction_at >= '2024-03-01' and transaction_at < '2024-04-01'",
    ),
    (
        *("customers", None, "Customers known", "*"),
        "select count(*) from silver.customers",
    ),
    (
        *("customers", None, "Customers by type and age", "customers"),
        "select count(*) from gold.dim_customers where is_known "
        "group by age_group, customer_type order by age_group, customer_type",
    ),
    (
        *("stock", None, "Products in stock", "*"),
        "select count(*) from silver.products where stock_quantity >= 1",
    ),
    (
        *("stock", None, "Stock at list price in EUR", "*"),
        "select sum(price * stock_quantity) from silver.products",
    ),
]
STOREFRONT: list[Case] = [
    (
        *("executive", None, "Sales", "*"),
        "select sum(total_sales) from gold.sales_by_country",
    ),
    (
        *("executive", None, "Number of sales", "*"),
        "select sum(number_of_sales) from gold.product_sales",
    ),
    (
        *("executive", None, "Active customers", "*"),
        "select count(*) from gold.client_activity where total_spent > 0",
    ),
    (
        *("executive", None, "Sales by category", "category,sales"),
        "select category, sum(total_sales) as v from gold.product_sales group by 1 "
        "order by v desc, category",
    ),
    (
        *("executive", "country=DE", "Sales", "*"),
        "select total_sales from gold.sales_by_country where country = 'DE'",
    ),
    (
        *("sales", None, "Sales by country", "country,sales,number_of_sales"),
        "select country, total_sales, number_of_sales from gold.sales_by_country "
        "order by total_sales desc, country limit 10",
    ),
    (
        *("sales", None, "Products that sell best", "product_name,sales,customers"),
        "select product_name, total_sales, number_of_customers from gold.top_products "
        "order by sales_rank, product_id limit 15",
    ),
    (
        *("customers", None, "Of them with a sale", "*"),
        "select count(*) from gold.client_activity where first_sale_date is not null",
    ),
    (
        *("orphans", None, "Orphans", "*"),
        "select (select count(*) from silver.sales_clean) "
        "- (select count(*) from silver.sales_enriched)",
    ),
]
REALTIME: list[Case] = [
    ("executive", None, "Revenue", "*", f"select sum(revenue) from {_REALTIME_YEAR}"),
    (
        *("executive", "period=all", "Orders", "*"),
        "select sum(orders) from gold.orders_by_region",
    ),
    (
        *("executive", "period=all", "Revenue by region", "*"),
        "select region, total_revenue, orders from gold.orders_by_region "
        "order by total_revenue desc, region",
    ),
    (
        *("executive", "period=all&region=EMEA", "Revenue", "*"),
        "select total_revenue from gold.orders_by_region where region = 'EMEA'",
    ),
    (
        *("executive", "period=all", "Cancelled orders", "*"),
        "select round(sum(cancelled_orders) / sum(orders + cancelled_orders), 4) "
        "from gold.orders_by_region",
    ),
    (
        *("customers", None, "Active and new users by month", "*"),
        "select month, monthly_active_users, new_users from gold.monthly_metrics "
        "order by month",
    ),
    (
        *("customers", None, "Of them with an order", "*"),
        "select count(distinct user_id) from gold.fact_orders where status = 'placed'",
    ),
    (
        *("live", None, "Users seen", "*"),
        "select count(*) from gold.dim_customer",
    ),
]
CASES = {
    "olist": OLIST,
    "crm-erp": CRM_ERP,
    "retail": RETAIL,
    "storefront": STOREFRONT,
    "realtime": REALTIME,
}
CUSTOMERS = {
    "olist": (
        "select customer_unique_id, orders, order_value from gold.customer_activity "
        "order by orders desc, 1 limit 1"
    ),
    "crm-erp": (
        "select customer_id, orders, lifetime_value from gold.customer_lifetime_value "
        "order by orders desc, 1 limit 1"
    ),
    "retail": (
        "select customer_id, count(*), sum(total_amount) from gold.fct_transactions "
        "where customer_id in (select customer_id from silver.customers) "
        "group by 1 order by 2 desc, 1 limit 1"
    ),
    "storefront": (
        "select customer_id, number_of_sales, total_spent from gold.client_activity "
        "order by 2 desc, 1 limit 1"
    ),
    "realtime": (
        "select user_id, orders, total_spent from gold.user_activity "
        "order by orders desc, 1 limit 1"
    ),
}
"""Somebody with a history: how often they bought, and for how much."""


def compare_boards(commands: OwnCommands, template: str) -> None:
    """Assert that every card says what gold says when it is asked otherwise."""
    for dashboard, chosen, heading, columns, sql in CASES[template]:
        found = card(commands.dashboard(dashboard, chosen), heading)
        wanted = columns.split(",")
        if columns == "*":
            wanted = found["columns"]
        places = [found["columns"].index(name) for name in wanted]
        shown = [[exact(row[place]) for place in places] for row in found["rows"]]
        told = [[exact(value) for value in row] for row in ask(commands, sql)]
        assert shown == told, (dashboard, chosen, heading)
        assert told, (dashboard, heading)
    _compare_history(commands, template)
    if template == "olist":
        _compare_with_a_year_before(commands)


def _compare_history(commands: OwnCommands, template: str) -> None:
    """Assert that a customer's own page has their figures, and their rows alone."""
    ((who, orders, spent),) = ask(commands, CUSTOMERS[template])
    document = commands.dashboard("customer", f"customer={who}")
    values = {
        exact(each["rows"][0][each["columns"].index(each["card"]["value"])])
        for each in document["cards"]
        if "kpi" in each["card"]
    }
    assert {exact(orders), exact(spent)} <= values, (template, who)
    (history,) = [each for each in document["cards"] if "table" in each["card"]]
    assert len(history["rows"]) >= 1
    assert len(history["rows"]) <= 100


def _compare_with_a_year_before(commands: OwnCommands) -> None:
    document = commands.dashboard("executive", None)
    compared = card(document, "Order value")["comparison"]
    ((now, before),) = ask(
        commands,
        f"select (select sum(order_value) from {_OLIST_YEAR}), "
        f"(select sum(order_value) from {_OLIST_BEFORE})",
    )
    assert exact(compared["value"]) == exact(before)
    share = float(now) / float(before) - 1
    assert abs(compared["change"] - share) < 1e-9


def card(document: dict[str, Any], heading: str) -> dict[str, Any]:
    """Return the card with a title."""
    found: dict[str, Any]
    (found,) = [
        each
        for each in document["cards"]
        if heading in (each["card"].get(key) for key in ("kpi", "table", "title"))
    ]
    return found


def exact(value: Any) -> Any:
    """Return a value so that equal ones are equal: 1, 1.0 and '1.00' are one."""
    if isinstance(value, bool) or value is None:
        return value
    try:
        return Decimal(str(value)).normalize()
    except ArithmeticError:
        return str(value).removesuffix("T00:00:00")
