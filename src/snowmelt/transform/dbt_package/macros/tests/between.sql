{% test between(model, column_name, low, high) %}
{{ config(meta={'on_changes': 'rows'}) }}

select {{ column_name }}
from {{ model }}
where not {{ column_name }} between {{ low }} and {{ high }}

{% endtest %}
