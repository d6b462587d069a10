-- Grain: one row per customer of the CRM, with what the ERP adds.
--
-- The ERP's tables have one row per customer number, so neither join can double a customer.

{{
    config(
        materialized='affected_keys',
        unique_key='customer_id',
    )
}}

with

{% call snowmelt.affected() %}

    select customer_id
    from {{
        snowmelt.stream(
            ref('crm_customers'),
            columns=[
                'customer_id', 'customer_number', 'first_name', 'last_name', 'marital_status',
                'gender', 'create_date',
            ],
        )
    }}

    union all

    select customer_id
    from {{ ref('crm_customers') }}
    where customer_number in (
        select customer_number
        from {{
            snowmelt.stream(
                ref('erp_customers'), columns=['customer_number', 'birth_date', 'gender']
            )
        }}
        union all
        select customer_number
        from {{ snowmelt.stream(ref('erp_locations'), columns=['customer_number', 'country']) }}
    )

{% endcall %}

customers as (

    select *
    from {{ ref('crm_customers') }}
    where {{ snowmelt.is_affected('customer_id') }}

),

erp_customers as (

    select *
    from {{ ref('erp_customers') }}
    where customer_number in (select customer_number from customers)

),

erp_locations as (

    select *
    from {{ ref('erp_locations') }}
    where customer_number in (select customer_number from customers)

),

joined as (

    select
        ---------- keys
        {{ surrogate_key(['customers.customer_id']) }} as customer_key,
        customers.customer_id,
        customers.customer_number,

        ---------- attributes
        customers.first_name,
        customers.last_name,
        coalesce(erp_locations.country, 'n/a') as country,
        customers.marital_status,
        case
            when customers.gender <> 'n/a' then customers.gender
            else coalesce(erp_customers.gender, 'n/a')
        end as gender,

        ---------- times
        erp_customers.birth_date,
        customers.create_date

    from customers
    left join erp_customers
        on customers.customer_number = erp_customers.customer_number
    left join erp_locations
        on customers.customer_number = erp_locations.customer_number

)

select * from joined
