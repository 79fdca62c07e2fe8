#!/bin/sh
# Says, in one sentence with the command that helps, what this machine lacks. Takes the Python to use, and
# `tests` when the tests are to run.
set -u
python=$1

lacks() {
    echo "$1 Install it with: $2" >&2
    exit 1
}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    lacks "Python 3.11 or newer is missing." "apt-get install python3"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    lacks "Python cannot make virtual environments." "apt-get install python3-venv"
command -v java >/dev/null || lacks "Java is missing: Kafka needs it." "apt-get install default-jre-headless"
major=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
[ "${major:-0}" -ge 17 ] || lacks "Java 17 or newer is missing: Kafka needs it." "apt-get install default-jre-headless"
kafka=$(sed -n 's/.*<kafka.version>\(.*\)<.*/\1/p' "${0%/*}/pom.xml")
[ -d ".local/cache/kafka-$kafka" ] || command -v mvn >/dev/null ||
    lacks "Maven is missing: it fetches Kafka." "apt-get install maven"
[ "${2:-}" != tests ] || command -v chromium >/dev/null ||
    lacks "Chromium is missing: pages are tested in it." "apt-get install chromium"
[ "${2:-}" != tests ] || command -v promtool >/dev/null ||
    lacks "Prometheus is missing: rules and dashboards are tested in it." "apt-get install prometheus"
[ "${2:-}" != tests ] || command -v amtool >/dev/null ||
    lacks "Alertmanager is missing: its configuration is checked by its own tool." "apt-get install prometheus-alertmanager"
[ "${2:-}" != tests ] || "$python" -c 'import ctypes; ctypes.CDLL("libatomic.so.1")' 2>/dev/null ||
    lacks "libatomic is missing: Playwright, which drives Chromium, needs it." "apt-get install libatomic1"
