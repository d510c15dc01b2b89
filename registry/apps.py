"""The registry as an application of Django's."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class RegistryConfig(AppConfig):
    """Its tables are named `registry_…`; ids are 64 bits wide."""

    name = "registry"
    verbose_name = _("Registry")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have the ledger guarded by the database itself, whatever is migrated."""
        from registry.ledger import guard  # noqa: PLC0415  it needs Django to be set up

        post_migrate.connect(guard.lay, sender=self, dispatch_uid="registry.ledger.guard")
