"""The lifecycle: policies, moves, jobs, events, associations, costs."""

from engine.schema.revision import apply_change, apply_frozen, drop_installation

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Alter the tables, add the new ones, replace the functions that changed."""
    apply_change(revision)


def downgrade() -> None:
    """Start over with the foundation; refused while memories are stored, unless forced.

    Memories may lie in segments and under policies that 0001 does not know.
    """
    drop_installation()
    apply_frozen(down_revision)
