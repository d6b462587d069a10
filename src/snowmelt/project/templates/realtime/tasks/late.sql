-- the return value: events of the last hour's loads that are older than an hour, where they say
-- when they happened as ISO 8601 (a number of seconds is a moment to one engine and none to another)
select count(*) from bronze.users
where _loaded_at > current_timestamp - interval '1 hour'
    and event_at like '%-%'
    and try_cast(event_at as timestamp with time zone) < _loaded_at - interval '1 hour'
