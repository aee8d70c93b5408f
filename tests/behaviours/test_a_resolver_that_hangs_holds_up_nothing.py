"""A resolver that does not answer, while operators are named: the server starts, answers, and stops in time."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.peers import need
from tests.support.server import ChappeServer
from tests.support.wire import call

# Every lookup of a name lasts for a minute; addresses are read at once, as by the system's own.
RESOLVER = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
  int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
  if (node && strstr(node, "hangs.example")) { sleep(60); return EAI_AGAIN; }
  return real(node, service, hints, result);
}
"""
OPERATORS = "".join(
    f"""
[[operators]]
name = "{kind}{number}"
kind = "{kind}"
host = "{number}.hangs.example"
port = 5060
{more}
[[routes]]
product = "{product}"
prefix = "33{number}"
operators = ["{kind}{number}"]
"""
    for kind, product, more in (("sip", "voice", ""), ("smpp", "sms", 'system_id = "a"\npassword = "b"'))
    for number in range(4)
)


@pytest.mark.peer
def test_a_resolver_that_hangs_holds_up_nothing(tmp_path: Path) -> None:
    source, library = tmp_path / "resolver.c", tmp_path / "resolver.so"
    source.write_text(RESOLVER)
    subprocess.run([need("cc"), "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True, timeout=60)
    server = ChappeServer(tmp_path / "server", environment={"LD_PRELOAD": str(library)})
    (server.data / "chappe.toml").write_text(f'[voice]\nsip_host = "127.0.0.1"\n{OPERATORS}')
    with server:
        assert call(server.base_url, "/healthz").status == 200
        server.stop()
    server.assert_no_traceback()
