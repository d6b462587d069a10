-- The ERP's categories; see cust_info.

create or replace temp view px_cat_g1v2_records as
select
    number as n,
    copy,
    case copy when 0 then 'good' else 'duplicate_categories' end as kind,
    case when copy = 0 and is_padded then ['padded_categories'] else [] end as repairs,
    [
        id,
        category,
        case when copy = 0 and is_padded then padded(subcategory) else subcategory end,
        maintenance
    ] as fields
from (
    select *, getvariable('dirty') > 0 and number = 3 as is_padded
    from categories
), (values (0), (1)) as copies (copy)
where copy = 0 or (getvariable('dirty') > 0 and number = 1);
