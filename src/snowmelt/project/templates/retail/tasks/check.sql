-- a gate: it must return no row. An hour in which every second transaction has no id or no amount
-- is a broken export, and not a bad day.
select transactions, broken
from (
    select
        count(*) as transactions,
        count(case when transaction_id is null or total_amount is null then 1 end) as broken
    from bronze.transactions__all
    where _loaded_at > current_timestamp - interval '1 hour'
) as last_hour
where broken > 0.5 * transactions
