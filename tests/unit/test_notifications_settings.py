"""What notifications is told is read once, and what cannot be meant is refused before anything starts."""

import pytest
from pydantic import SecretStr, ValidationError

from services.notifications.settings import NotificationsSettings

NEEDED = {"database_url": SecretStr("postgresql://a@b/c"), "kafka": "localhost:9092", "sender_domain": "mail.example"}


def test_mail_is_handed_in_in_the_shops_own_name_unless_told_otherwise() -> None:
    settings = NotificationsSettings(**NEEDED)  # type: ignore[arg-type]
    assert (settings.smtp_host, settings.smtp_port, settings.sender_address) == ("127.0.0.1", 25, "")
    assert not settings.smtp_starttls
    assert not settings.smtp_tls


def test_every_setting_has_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {
        "NOTIFICATIONS_DATABASE_URL": "postgresql://a@b/c",
        "NOTIFICATIONS_KAFKA": "localhost:9092",
        "NOTIFICATIONS_SMTP_HOST": "smtp.platform.example",
        "NOTIFICATIONS_SMTP_PORT": "587",
        "NOTIFICATIONS_SMTP_USER": "platform",
        "NOTIFICATIONS_SMTP_PASSWORD": "secret",
        "NOTIFICATIONS_SMTP_STARTTLS": "true",
        "NOTIFICATIONS_SENDER_DOMAIN": "platform.example",
        "NOTIFICATIONS_SENDER_ADDRESS": "orders@platform.example",
        "NOTIFICATIONS_MAIL_TIMEOUT": "30",
        "NOTIFICATIONS_RENDER_TIMEOUT": "5",
    }
    for name, value in wanted.items():
        monkeypatch.setenv(name, value)
    settings = NotificationsSettings()
    assert (settings.smtp_host, settings.smtp_port, settings.smtp_starttls) == ("smtp.platform.example", 587, True)
    assert (settings.sender_domain, settings.sender_address) == ("platform.example", "orders@platform.example")
    assert (settings.mail_timeout, settings.render_timeout) == (30, 5)
    assert settings.smtp_password.get_secret_value() == "secret"
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sender_domain": ""},
        {"sender_domain": "mail example"},
        {"sender_domain": "mail.example>\r\nBcc: x"},
        {"sender_domain": "mail.example\n"},
        {"sender_address": "orders"},
        {"sender_address": "Orders <orders@platform.example>"},
        {"sender_address": "orders@platform.example\n"},
        {"smtp_port": 0},
        {"smtp_connections": 0},
        {"mail_timeout": 0},
        {"render_timeout": -1},
        {"smtp_starttls": True, "smtp_tls": True},
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NotificationsSettings(**NEEDED | wrong)  # type: ignore[arg-type]
