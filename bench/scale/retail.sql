-- The template `retail`, as somebody writes it who wants the tables and no account of anything.
--
-- Written by hand: the same files, rules and gold as the template's, in plain statements. What is
-- not here: who loaded which file when, records that cannot be read, rows that a rule refused,
-- logs of changes, tests. It loads everything from nothing, and can do nothing else.
--
--     set variable landing = 'landing';     -- the folder that has raw/customers, raw/products, …

set TimeZone = 'UTC';

create schema bronze;
create schema silver;
create schema gold;


-- What a value means.

-- The date in a file's name: 2024-12-31, or 2024-12-31T0100.
create temp macro version_at(file_name) as coalesce(
    try_strptime(regexp_extract(file_name, '\d{4}-\d\d-\d\dT\d{4}'), '%Y-%m-%dT%H%M'),
    try_strptime(regexp_extract(file_name, '\d{4}-\d\d-\d\d'), '%Y-%m-%d')
);

-- An id; a whole number that was written as a float loses its '.0'.
create temp macro record_id(given) as nullif(
    case
        when starts_with(given, ' ') or ends_with(given, ' ') or ends_with(given, '.0')
        then regexp_replace(trim(given), '^(\d+)\.0$', '\1')
        else given
    end,
    ''
);

create temp macro one_line(given) as nullif(trim(regexp_replace(given, '[\s\pZ]+', ' ', 'g')), '');

create temp macro whole_number(given) as case
    when regexp_full_match(trim(given), '[+-]?\d{1,9}(\.0*)?')
    then cast(cast(trim(given) as decimal(18, 6)) as integer)
end;

-- A moment in UTC. A text with an offset goes the slower way.
create temp macro moment(given) as case
    when given like '____-__-_____:__:__' or strlen(given) = 10 then try_cast(given as timestamp)
    else cast(try_cast(trim(given) as timestamptz) as timestamp)
end;

create temp macro not_below_0(value) as case when value < 0 then 0 else value end;

create temp macro is_email(given) as regexp_full_match(
    given,
    '[\pL\pN!#$%&''*+/=?^_`{|}~-]+(\.[\pL\pN!#$%&''*+/=?^_`{|}~-]+)*@'
    || '[\pL\pN]([\pL\pN-]*[\pL\pN])?(\.[\pL\pN]([\pL\pN-]*[\pL\pN])?)+'
);

-- Money by a number, to cents, half up. In gold, since views keep it.
create macro gold.average(amount, number) as case
    when number > 0
    then cast(floor((200 * amount + number) / (2 * number)) / 100 as decimal(18, 2))
end;


-- Bronze: the files as they are.

create table bronze.customers as
select * exclude (filename), version_at(filename) as version_at
from read_csv(
    getvariable('landing') || '/raw/customers/**/*.csv*',
    auto_detect = false,
    header = true,
    delim = ',',
    quote = '"',
    escape = '"',
    filename = true,
    columns = {
        'customer_id': 'varchar',
        'name': 'varchar',
        'email': 'varchar',
        'country': 'varchar',
        'customer_type': 'varchar',
        'registration_date': 'varchar',
        'age': 'varchar',
        'gender': 'varchar',
        'total_purchases': 'decimal(18, 4)'
    }
);

create table bronze.products as
select * exclude (filename), version_at(filename) as version_at
from read_json(
    getvariable('landing') || '/raw/products/**/*.json*',
    format = 'array',
    filename = true,
    columns = {
        'product_id': 'varchar',
        'name': 'varchar',
        'category': 'varchar',
        'brand': 'varchar',
        'price': 'decimal(33, 18)',
        'stock_quantity': 'varchar',
        'rating': 'decimal(18, 4)',
        'is_active': 'varchar'
    }
);

create table bronze.transactions as
select
    transaction_id,
    customer_id,
    product_id,
    cast(quantity as bigint) as quantity,
    cast(total_amount as decimal(18, 4)) as total_amount,
    transaction_date,
    payment_method,
    store_type,
    version_at(filename) as version_at
from read_parquet(getvariable('landing') || '/raw/transactions/**/*.parquet', filename = true);


-- Silver: one row per record, the newest version that passes the rules. Of two with the same
-- version either: they are copies of each other.

create table silver.customers as
with

put_right as (

    select
        record_id(customer_id) as customer_id,
        one_line(name) as name,
        lower(nullif(trim(email), '')) as email,
        one_line(country) as country,
        case
            when upper(trim(customer_type)) in ('R', 'REG', 'REGULAR') then 'Regular'
            when upper(trim(customer_type)) in ('P', 'PREM', 'PREMIUM') then 'Premium'
            else 'Unknown'
        end as customer_type,
        customer_type as customer_type_given,
        case
            when upper(trim(gender)) in ('M', 'MALE') then 'Male'
            when upper(trim(gender)) in ('F', 'FEMALE') then 'Female'
            else 'Other'
        end as gender,
        case when whole_number(age) between 18 and 120 then whole_number(age) end as age,
        cast(moment(registration_date) as date) as registration_date,
        not_below_0(cast(total_purchases as decimal(18, 2))) as total_purchases,
        version_at
    from bronze.customers

)

select *
from put_right
where customer_id is not null
    and is_email(email)
qualify row_number() over (partition by customer_id order by version_at desc) = 1;

create table silver.products as
with

put_right as (

    select
        record_id(product_id) as product_id,
        one_line(name) as name,
        one_line(category) as category,
        one_line(brand) as brand,
        lower(trim(is_active)) in ('true', 't', 'yes', 'y', '1') as is_active,
        not_below_0(cast(price as decimal(18, 2))) as price,
        not_below_0(whole_number(stock_quantity)) as stock_quantity,
        case when rating between 0 and 5 then rating when rating is not null then 0 end as rating,
        version_at
    from bronze.products

)

select *
from put_right
where product_id is not null
qualify row_number() over (partition by product_id order by version_at desc) = 1;

create table silver.transactions as
with

put_right as (

    select
        record_id(transaction_id) as transaction_id,
        coalesce(record_id(customer_id), '') as customer_id,
        coalesce(record_id(product_id), '') as product_id,
        coalesce(lower(nullif(trim(payment_method), '')), 'unknown') as payment_method,
        coalesce(lower(nullif(trim(store_type), '')), 'unknown') as store_type,
        moment(transaction_date) as transaction_at,
        cast(moment(transaction_date) as date) as sale_date,
        quantity,
        cast(total_amount as decimal(18, 2)) as total_amount,
        version_at
    from bronze.transactions

)

select *
from put_right
where transaction_id is not null
    and total_amount > 0
    and sale_date between date '1990-01-01' and date '2099-12-31'
    and coalesce(abs(quantity::hugeint) <= 1000000, true)
qualify row_number() over (partition by transaction_id order by version_at desc) = 1;


-- Gold: dimensions with whoever is known or named in a transaction, and sums by day.

create table gold.dim_customers as
select
    customer_id,
    true as is_known,
    name,
    email,
    country,
    customer_type,
    gender,
    age,
    case
        when age < 25 then '18-24'
        when age < 35 then '25-34'
        when age < 45 then '35-44'
        when age < 55 then '45-54'
        when age < 65 then '55-64'
        when age >= 65 then '65+'
        else 'unknown'
    end as age_group,
    registration_date,
    total_purchases
from silver.customers

union all by name

select distinct
    customer_id,
    false as is_known,
    'Unknown' as customer_type,
    'Other' as gender,
    'unknown' as age_group
from silver.transactions
where customer_id not in (select customer_id from silver.customers);

create table gold.dim_products as
select
    product_id,
    true as is_known,
    name,
    coalesce(category, 'Unknown') as category,
    brand,
    is_active,
    price,
    stock_quantity,
    rating
from silver.products

union all by name

select distinct
    product_id,
    false as is_known,
    'Unknown' as category
from silver.transactions
where product_id not in (select product_id from silver.products);

create view gold.fct_transactions as
select
    transaction_id,
    sale_date,
    customer_id,
    product_id,
    payment_method,
    store_type,
    transaction_at,
    quantity,
    total_amount
from silver.transactions;

create table gold.daily_sales as
select
    sale_date,
    product_id,
    customer_id,
    cast(coalesce(sum(quantity), 0) as bigint) as quantity,
    cast(sum(total_amount) as decimal(18, 2)) as sales,
    count(*) as transactions
from silver.transactions
group by sale_date, product_id, customer_id;

create view gold.daily_sales_analysis as
select
    sales.sale_date,
    sales.product_id,
    sales.customer_id,
    products.name as product_name,
    products.category,
    customers.name as customer_name,
    customers.customer_type,
    sales.quantity,
    sales.sales,
    sales.transactions,
    gold.average(sales.sales, sales.quantity) as average_price_per_unit,
    gold.average(sales.sales, sales.transactions) as average_transaction_value
from gold.daily_sales as sales
inner join gold.dim_products as products
    on sales.product_id = products.product_id
inner join gold.dim_customers as customers
    on sales.customer_id = customers.customer_id;

create table gold.sales_by_day as
select
    sale_date,
    store_type,
    cast(coalesce(sum(quantity), 0) as bigint) as quantity,
    cast(sum(total_amount) as decimal(18, 2)) as sales,
    count(*) as transactions,
    count(distinct nullif(customer_id, '')) as customers,
    gold.average(sum(total_amount), count(*)) as average_transaction_value
from silver.transactions
group by sale_date, store_type;

create table gold.dim_dates as
select
    date_day,
    cast(year(date_day) as integer) as year,
    cast(quarter(date_day) as integer) as quarter,
    cast(month(date_day) as integer) as month,
    cast(day(date_day) as integer) as day_of_month,
    cast(dayofweek(date_day) as integer) as day_of_week,
    cast(date_trunc('month', date_day) as date) as first_day_of_month,
    dayofweek(date_day) in (0, 6) as is_weekend
from (
    select cast(unnest(generate_series(
        date_trunc('year', min(sale_date)),
        date_trunc('year', max(sale_date)) + interval 1 year - interval 1 day,
        interval 1 day
    )) as date) as date_day
    from gold.sales_by_day
);

checkpoint;
