"""Webhook tasks: JSON is posted, with values of the graph run put in."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from snowmelt.service.tasks.work import Done, Order, Stop, TaskError

ANSWER_SECONDS_MAX = 30.0
_SHOWN = 200


def post(order: Order, stop: Stop) -> Done:
    """Post a task's body, or all that it is told; no success fails the task.

    The address may hold a secret: messages name its host alone.
    """
    webhook = order.task.webhook
    assert webhook is not None
    host = urlsplit(webhook.url).hostname
    try:
        body = order.document
        if webhook.body is not None:
            body = filled(webhook.body, order.document)
    except TemplateError as error:
        raise TaskError(f"body: {error}") from None
    with httpx.Client(timeout=ANSWER_SECONDS_MAX) as client:
        stop.by(client.close)
        try:
            answer = client.post(webhook.url, json=body, headers=webhook.headers)
        except (httpx.HTTPError, RuntimeError) as error:
            raise TaskError(f"{host}: {type(error).__name__}") from None
        finally:
            stop.over()
    if not answer.is_success:
        said = answer.text[:_SHOWN]
        raise TaskError(f"{host} answered {answer.status_code}: {said}".rstrip(": "))
    return Done(
        return_value=str(answer.status_code), output=answer.text[:_SHOWN] or None
    )


def filled(body: Any, values: dict[str, Any]) -> Any:
    """Put values into the texts of a body. Raises TemplateError for unknown ones."""
    if isinstance(body, dict):
        return {key: filled(each, values) for key, each in body.items()}
    if isinstance(body, list):
        return [filled(each, values) for each in body]
    if isinstance(body, str):
        environment = SandboxedEnvironment(undefined=StrictUndefined)
        return environment.from_string(body).render(values)
    return body
