"""What documents counts."""

from prometheus_client import Counter, Histogram

printed = Counter("documents_printed", "Documents by kind and outcome.", ["document", "outcome"])
seconds = Histogram("documents_seconds", "From a document's turn until it is kept.", ["document"])
presses_started = Counter("documents_presses_started", "Printing processes started.")
