"""The foundation: memories, activity, algebra, encoders, search."""

from engine.schema.revision import apply_frozen, drop_installation

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Install everything frozen for this revision."""
    apply_frozen(revision)


def downgrade() -> None:
    """Drop it again; refused while memories are stored, unless forced."""
    drop_installation()
