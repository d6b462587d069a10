select
    id as store_id,
    name as store_name

from {{ source('tills', 'stores') }}
