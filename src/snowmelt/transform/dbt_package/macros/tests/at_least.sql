{% test at_least(model, column_name, value=0) %}
{{ config(meta={'on_changes': 'rows'}) }}

select {{ column_name }}
from {{ model }}
where {{ column_name }} < {{ value }}

{% endtest %}
