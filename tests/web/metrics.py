# Run by a test, with the hub in place of that word: prints the name of every family that Prometheus' own parser finds.
from prometheus_client.parser import text_string_to_metric_families
from urllib.request import urlopen

with urlopen("HUB/metrics") as response:
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4"), response.headers
    text = response.read().decode()
families = list(text_string_to_metric_families(text))
for family in families:
    assert family.documentation and family.type in ("counter", "gauge") and family.samples, family
    print(family.name)
assert sum(len(family.samples) for family in families) == sum(not line.startswith("#") for line in text.splitlines())
