create table snowmelt.external_files (
    load_seq bigint not null,
    table_name varchar not null,
    file_name varchar not null,
    name varchar not null,
    file_size bigint not null,
    file_mtime_ns bigint not null,
    columns varchar not null,
    query varchar not null,
    gone_by bigint
);
