-- What the corrected file changes among the orders at hand.
select
    (select count(*) from order_payments_now where part = 0 and not is_late) as good,
    count(*) as kept,
    count(*) filter (is_corrected) as corrected
from corrected_records;
