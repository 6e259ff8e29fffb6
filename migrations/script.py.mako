"""${message}."""

from engine.schema.revision import apply_change

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    """Run frozen/${up_revision}/change.sql, then the new tables and the functions and views that changed."""
    apply_change(revision)


def downgrade() -> None:
    """Undo it."""
    raise NotImplementedError
