"""What an Airflow task asks for: once, by a key that outlives its tries."""

from __future__ import annotations

import asyncio
import logging
import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.airflow.asking import (
    ENDED,
    KEY,
    TOOK_TOO_LONG,
    Asking,
    look,
    name_of,
    was_given_up,
)
from snowmelt.remote import Question, ServiceError
from snowmelt.serve.errands import KEY_LENGTH_MAX, read_wish

RUN = {"what": "run"}
warn = logging.getLogger("a task").warning


class Store(dict[str, Any]):
    """A task's state store, which its tries share."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)


class Service:
    """Errands by their keys, as a service knows them."""

    def __init__(self) -> None:
        self.errands: dict[str, dict[str, Any]] = {}

    def say(self, wish: dict[str, Any]) -> dict[str, Any]:
        read_wish(wish)  # what a service would refuse
        known = self.errands.get(wish["key"])
        if known is None:
            number = len(self.errands) + 1
            known = {"errand": number, "what": wish["what"], "problem": None}
            self.errands[wish["key"]] = known | {"state": "EXECUTING"}
        elif known["what"] != wish["what"]:
            raise ServiceError(422, "key", "errand 1 has it already")
        return self.errands[wish["key"]]


def ti(**named: Any) -> SimpleNamespace:
    usual = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1}
    return SimpleNamespace(**usual | named)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def store() -> Store:
    return Store()


def ask(service: Service, store: Store, wish: dict[str, Any] = RUN) -> dict[str, Any]:
    return Asking(service.say, warn).once(store, name_of(ti()), wish)


@pytest.mark.parametrize("state", ["QUEUED", "EXECUTING", "SUCCEEDED", "FAILED"])
def test_a_try_after_a_worker_that_died_is_told_of_the_same_errand(
    service: Service, store: Store, state: str
) -> None:
    first = ask(service, store)
    first["state"] = state
    assert ask(service, store) is first


def test_a_cancelled_errand_is_no_answer_to_the_try_that_comes_after(
    service: Service, store: Store
) -> None:
    first = ask(service, store)
    first |= {"state": "CANCELLED", "problem": f"airflow cancelled it: {ENDED}"}
    second = ask(service, store)
    assert (second["errand"], second["state"]) == (2, "EXECUTING")
    assert ask(service, store) is second, "which has a key of its own, and is kept"


def test_a_task_that_was_changed_asks_for_another(
    service: Service, store: Store
) -> None:
    assert ask(service, store)["errand"] == 1
    assert ask(service, store, {"what": "audit"})["errand"] == 2
    assert ask(service, store, {"what": "audit"})["errand"] == 2


def test_what_is_refused_for_another_reason_is_said_and_keeps_the_key(
    service: Service, store: Store
) -> None:
    ask(service, store)
    key = store[KEY]

    def refuses(wish: dict[str, Any]) -> dict[str, Any]:
        raise ServiceError(422, "pipe", "there is no 'ordes'")

    with pytest.raises(ServiceError, match="ordes"):
        Asking(refuses, warn).once(store, "n", RUN)
    assert store[KEY] == key


@pytest.mark.parametrize(
    ("state", "problem", "by_a_try"),
    [
        ("CANCELLED", f"airflow cancelled it: {ENDED}", True),
        ("CANCELLED", f"airflow cancelled it: {TOOK_TOO_LONG}", True),
        ("CANCELLED", "anna cancelled it: wrong day", False),
        ("CANCELLED", "anna cancelled it", False),
        ("CANCELLED", None, False),
        ("FAILED", f"a file says: {ENDED}", False),
    ],
)
def test_what_a_try_gave_up_is_known_from_what_a_person_cancelled(
    state: str, problem: str | None, by_a_try: bool
) -> None:
    assert was_given_up({"state": state, "problem": problem}) is by_a_try


def test_an_errand_of_another_life_of_the_warehouse_is_not_taken_for_ones_own() -> None:
    mine = {"errand": 7, "key": "airflow/mine", "has_ended": False}

    def found(answer: dict[str, Any] | ServiceError, key: str | None) -> Any:
        async def ask(question: Question) -> dict[str, Any]:
            assert question.path == "/api/v1/errands/7"
            if isinstance(answer, ServiceError):
                raise answer
            return {"errand": answer}

        return asyncio.run(look(ask, 7, key))

    assert found(mine, "airflow/mine") is mine
    assert found(mine, None) is mine, "a trigger that was written down without its key"
    assert found(mine | {"key": "airflow/theirs"}, "airflow/mine") is None
    assert found(mine | {"key": None}, "airflow/mine") is None
    assert found(ServiceError(404, "", "there is no errand 7"), "airflow/mine") is None
    with pytest.raises(ServiceError, match="not for you"):
        found(ServiceError(403, "", "not for you"), "airflow/mine")


NAMES = st.builds(
    lambda letter, length: letter * length,
    st.characters(categories=["L", "N"]),
    st.integers(1, 250),
)


@given(dag=NAMES, run=NAMES, task=NAMES, number=st.integers(-1, 10**6))
def test_a_service_takes_the_key_of_whatever_airflow_lets_a_task_be_called(
    dag: str, run: str, task: str, number: int
) -> None:
    named = ti(dag_id=dag, run_id=run, task_id=task, map_index=number)
    found, store = Service(), Store()
    Asking(found.say, warn).once(store, name_of(named), RUN)
    assert len(store[KEY]) <= KEY_LENGTH_MAX
    again = Asking(found.say, warn).without_store(name_of(named), 2, RUN)
    assert again["errand"] == 2
    assert name_of(named) == name_of(ti(**vars(named)))


def test_long_names_that_differ_at_their_end_are_two() -> None:
    long = {"dag_id": "d" * 250, "run_id": "r" * 250}
    names = {
        name_of(ti(**long, task_id=f"{'t' * 249}{end}", map_index=index))
        for end in "ab"
        for index in range(2)
    }
    assert len(names) == 4
    assert max(map(len, names)) < KEY_LENGTH_MAX - len(str(uuid.uuid4()))
    assert all(name.startswith("airflow/ddd") for name in names)
