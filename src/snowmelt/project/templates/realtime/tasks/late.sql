-- the return value: events of the last hour's loads that are older than an hour
select count(*) from bronze.users
where _loaded_at > now() - interval 1 hour
    and try_cast(event_at as timestamptz) < _loaded_at - interval 1 hour
