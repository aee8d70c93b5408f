#!/bin/sh
# Installs the independent programs that the tests drive, from Debian's packages; a second run does nothing.
# Run as root: tests/peers/install-debian.sh
set -eu

# What has to be there (a command, or pkg:NAME where no command tells), and the package that brings it.
wanted='
curl                                curl
php                                 php-cli
pkg:php-curl                        php-curl
go                                  golang-go
javac                               default-jdk-headless
mcs                                 mono-mcs
mono                                mono-runtime
pkg:libmono-system-net-http4.0-cil  libmono-system-net-http4.0-cil
ruby                                ruby
bearerbox                           kannel
pkg:libnet-smpp-perl                libnet-smpp-perl
sipp                                sip-tester
baresip                             baresip-core
espeak-ng                           espeak-ng
strace                              strace
cc                                  gcc
pkg:libc6-dev                       libc6-dev
ip                                  iproute2
chromium                            chromium
'

PATH=$PATH:/usr/sbin:/sbin

is_there() {
    case $1 in
        pkg:*) dpkg-query -W -f '${db:Status-Status}' "${1#pkg:}" 2>/dev/null | grep -qx installed ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

# Prints the packages that are still missing, on one line.
missing_packages() {
    echo "$wanted" | while read -r what package; do
        [ -z "$what" ] || is_there "$what" || printf '%s ' "$package"
    done
}

missing=$(missing_packages)
if [ -z "$missing" ]; then
    echo "all independent programs are installed"
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "$0: this is not Debian; install by hand what these packages hold: $missing" >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "$0: must be root to install: $missing" >&2
    echo "try: sudo $0" >&2
    exit 1
fi

# Kannel's package starts a gateway on the ports 13000 to 13002 and at every boot; the tests start their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
apt="apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3"
$apt update
# shellcheck disable=SC2086 # words on purpose
$apt install --no-install-recommends $missing

case " $missing" in
    *" kannel "*) update-rc.d kannel disable >/dev/null 2>&1 || true ;;
esac

missing=$(missing_packages)
if [ -n "$missing" ]; then
    echo "$0: installed, but still not usable: $missing" >&2
    exit 1
fi
