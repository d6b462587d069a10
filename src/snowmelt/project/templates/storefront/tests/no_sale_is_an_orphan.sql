-- Warns only: what an orphan lacks may arrive with the next file.
{{ config(severity='warn') }}

select * from {{ ref('orphan_sales') }}
