"""Dovecot, a mail server that others wrote."""

from __future__ import annotations

import imaplib
import secrets
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.program import Unavailable, directory, free_port, private_file, running, server_user, whoever


@dataclass(frozen=True)
class Dovecot:
    """A running IMAP server of our own, with one account whose mails lie in `maildir`."""

    host: str
    port: int
    """Plain, and with STARTTLS."""
    tls_port: int
    user: str
    password: str
    maildir: Path
    pid: int


@contextmanager
def dovecot_server(certificate: Path) -> Iterator[Dovecot]:
    """A Dovecot for the length of a block. `certificate`: PEM, with its key, for 127.0.0.1."""
    program = shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise Unavailable("dovecot is not installed (Debian: apt-get install dovecot-imapd)")
    user = server_user("dovecot")
    name, password = "box@shop.example", secrets.token_hex(16)
    with directory("dovecot", user) as folder:
        pem = private_file(folder / "server.pem", certificate.read_text(), user)
        users = private_file(folder / "users", f"{name}:{{PLAIN}}{password}\n", user)
        tls_port = free_port()

        def command(port: int) -> list[str]:
            text = DOVECOT.format(folder=folder, pem=pem, users=users, port=port, tls_port=tls_port, **whoever(user))
            config = private_file(folder / "dovecot.conf", text, user)
            return [program, "-F", "-c", str(config)]

        def server(port: int, pid: int) -> Dovecot:
            return Dovecot("127.0.0.1", port, tls_port, name, password, folder / "mail" / name / "Maildir", pid)

        def answers(found: Dovecot) -> bool:
            try:
                with imaplib.IMAP4(found.host, found.port, timeout=5) as client:
                    client.login(found.user, found.password)
            except (OSError, imaplib.IMAP4.error):
                return False
            return True

        with running(command, server, answers, signal.SIGTERM, folder, user) as found:
            yield found


DOVECOT = """
protocols = imap
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 0
first_valid_gid = 0
disable_plaintext_auth = no
ssl = yes
ssl_cert = <{pem}
ssl_key = <{pem}
mail_location = maildir:~/Maildir
passdb {{
  driver = passwd-file
  args = {users}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u
}}
namespace inbox {{
  inbox = yes
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
"""
"""Without root: every service runs as the one user, and none changes its root directory."""
