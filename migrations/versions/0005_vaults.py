"""Roles, row-level security, quotas, the audit, vaults."""

from engine.schema.revision import apply_change, apply_frozen, drop_installation

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Confine every tenant to its rows, whoever asks; who had rights of their own on tables loses them."""
    apply_change(revision)


def downgrade() -> None:
    """Start over with the archive; refused while memories are stored or archived. The roles stay."""
    drop_installation()
    apply_frozen("0001")
    apply_change("0002")
    apply_change("0003")
    apply_change(down_revision)
