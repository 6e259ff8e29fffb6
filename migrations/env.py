"""Alembic's entry: one transaction, one migration at a time, the server checked before anything else."""

from logging.config import fileConfig

from alembic import context
from psycopg import Connection
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from engine.schema.request import RESULT_KEY, MigrationResult, Request
from engine.schema.revision import PARAMETERS_KEY
from engine.schema.server import OFFLINE_PRELUDE, prepare, recorded_parameters, settle_parameters

VERSION_SCHEMA = "mnemo"


def run_offline(request: Request) -> None:
    """Print the script that a `psql -v ON_ERROR_STOP=1 -f` applies."""
    context.config.attributes[PARAMETERS_KEY] = settle_parameters(None, request.bits, request.sketch_bits)
    context.configure(dialect_name="postgresql", version_table_schema=VERSION_SCHEMA)
    with context.begin_transaction():
        context.get_context().impl.static_output(OFFLINE_PRELUDE)
        context.run_migrations()


def run_online(request: Request) -> None:
    """Migrate in one transaction: a failure, or another migration at the same time, leaves no half."""
    engine = create_engine("postgresql+psycopg://", creator=request.connect, poolclass=NullPool)
    with engine.connect() as connection, connection.begin():
        driver = connection.connection.driver_connection
        assert isinstance(driver, Connection)
        prepare(driver)
        parameters = settle_parameters(recorded_parameters(driver), request.bits, request.sketch_bits)
        context.config.attributes[PARAMETERS_KEY] = parameters
        if request.force:
            driver.execute("set local mnemo.force_downgrade = on")
        context.configure(connection=connection, version_table_schema=VERSION_SCHEMA)
        migration = context.get_context()
        before = migration.get_current_revision()
        with context.begin_transaction():
            context.run_migrations()
        result = MigrationResult(before, migration.get_current_revision(), parameters)
    context.config.attributes[RESULT_KEY] = result


# Only the alembic command brings a file: used as a library, logging is the host's business.
if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)

_request = Request.of(context.config, context.get_x_argument(as_dictionary=True))
if context.is_offline_mode():
    run_offline(_request)
else:
    run_online(_request)
