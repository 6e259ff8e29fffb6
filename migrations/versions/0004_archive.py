"""Object storage: archived segments, durability copies."""

from engine.schema.revision import apply_change, apply_frozen, drop_installation

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Alter the tables, add those of the archive, replace the functions; without a policy nothing leaves."""
    apply_change(revision)


def downgrade() -> None:
    """Start over with the composite encoding; refused while memories are stored or archived."""
    drop_installation()
    apply_frozen("0001")
    apply_change("0002")
    apply_change(down_revision)
