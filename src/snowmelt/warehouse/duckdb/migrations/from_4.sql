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

-- what is or was wrong, told through sinks; message: one line; details: JSON
create table snowmelt.alerts (
    alert_id varchar not null,
    rule varchar not null,
    cause varchar not null,
    severity varchar not null,
    opened_at timestamptz not null,
    resolved_at timestamptz,
    last_seen_at timestamptz not null,
    seen bigint not null,
    message varchar not null,
    details varchar not null
);

-- messages about alerts, in the order they were written
-- kind: opened, resolved, escalated; state: due, sent, failed, dropped
create table snowmelt.alert_deliveries (
    delivery_id bigint not null,
    alert_id varchar not null,
    sink varchar not null,
    kind varchar not null,
    state varchar not null,
    tries bigint not null,
    created_at timestamptz not null,
    next_try_at timestamptz not null,
    first_try_at timestamptz,
    sent_at timestamptz,
    error varchar
);

-- rules and alerts that nobody is to hear of; of a target the newest holds
create table snowmelt.alert_mutes (
    target varchar not null,
    until timestamptz not null,
    muted_at timestamptz not null
);
