

-- loads that were superseded and whose rows are not kept any more
create table snowmelt.vacuumed_loads (
    load_seq bigint not null,
    table_name varchar not null,
    rows_deleted bigint not null,
    vacuumed_at timestamptz not null
);

-- streams whose changes are gone: stale as long as the offset is at this position
create table snowmelt.stale_streams (
    consumer varchar not null,
    source varchar not null,
    position bigint not null,
    stale_since timestamptz not null
);
