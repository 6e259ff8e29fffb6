"""The composite encoding: meaning, words and neighbours in one hypervector; corpus statistics."""

from engine.schema.revision import apply_change, apply_frozen, drop_installation

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Alter the tables, add the statistics, replace the functions; collections in use stay lexical."""
    apply_change(revision)


def downgrade() -> None:
    """Start over with the lifecycle; refused while memories are stored, unless forced.

    Composite hypervectors mean nothing to 0002, which would encode queries for them by words alone.
    """
    drop_installation()
    apply_frozen("0001")
    apply_change(down_revision)
