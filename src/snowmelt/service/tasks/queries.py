"""SQL tasks: a file of statements, and gates that judge what a query returns."""

from __future__ import annotations

import json
from pathlib import Path

from snowmelt.errors import SnowmeltError
from snowmelt.service.tasks.work import Done, Order, Stop, TaskError, checked_return
from snowmelt.transform.tasks.config import Expect
from snowmelt.warehouse.port import Session, Table, Warehouse
from snowmelt.warehouse.sql import literal

ROWS_SHOWN = 3


class Queries:
    """Carries out files of SQL of one project, each as a whole or not at all."""

    def __init__(self, root: Path, warehouse: Warehouse) -> None:
        self._root = root
        self._warehouse = warehouse

    def alone(self, order: Order, stop: Stop) -> Done:
        """Carry out a task's file in a transaction of its own."""
        with self._warehouse.session() as session, session.transaction():
            done = self.inside(order, stop, session)
            if stop.asked.is_set():
                raise TaskError("it was stopped")
            return done

    def inside(self, order: Order, stop: Stop, session: Session) -> Done:
        """Carry out a task's file in the transaction of a session."""
        assert order.task.sql is not None
        file = order.task.sql.file
        try:
            sql = (self._root / file).read_text()
            self._warehouse.require_no_transaction(sql)
            for name, value in _variables(order).items():
                session.execute(f"set variable {name} = {literal(value)}")
            stop.by(session.interrupt)
            found = session.table(sql, limit=ROWS_SHOWN)
        except OSError as error:
            raise TaskError(f"{file}: {error.strerror}") from None
        except SnowmeltError as error:
            raise TaskError(f"{file}: {error.problem}") from error
        except Exception as error:  # whatever the engine has against it
            raise TaskError(f"{file}: {str(error).strip()}") from error
        finally:
            stop.over()
        _judge(file, order.task.sql.expect, found)
        first = found.rows[0][0] if found.rows and found.rows[0] else None
        return Done(checked_return(None if first is None else str(first)))


def _variables(order: Order) -> dict[str, str]:
    """Return what statements may ask for: `getvariable('task_config') ->> 'key'`."""
    return {
        "task_name": order.name,
        "task_config": json.dumps(order.config),
        "task_return_values": json.dumps(order.return_values),
        "task_scheduled_time": order.scheduled_time.isoformat(),
        "task_graph_run_group_id": order.group_id,
    }


def _judge(file: str, expect: Expect | None, found: Table) -> None:
    """Raise TaskError when a gate's query did not return what it must."""
    if expect is Expect.EMPTY and found.rows:
        rows = "; ".join(
            json.dumps(dict(zip(found.columns, row, strict=True)), default=str)
            for row in found.rows
        )
        raise TaskError(f"{file} must return no row, and returned: {rows}")
    if expect is Expect.ROWS and not found.rows:
        raise TaskError(f"{file} must return a row, and returned none")
