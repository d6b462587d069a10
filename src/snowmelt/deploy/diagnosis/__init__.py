"""Why nothing arrives on a target: the questions of the vendor's page, in its order.

https://docs.snowflake.com/en/user-guide/data-load-snowpipe-ts
"""
