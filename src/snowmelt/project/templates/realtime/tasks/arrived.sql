-- the return value: events that the newest load brought
select count(*) from bronze.users
where _load_seq = (select max(_load_seq) from bronze.users)
