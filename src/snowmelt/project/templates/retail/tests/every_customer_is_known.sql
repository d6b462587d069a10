-- Warns only: a customer may arrive after what was bought.
{{ config(severity='warn') }}

select customer_id from {{ ref('dim_customers') }} where not is_known
