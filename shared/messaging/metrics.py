"""What the kit counts; the gauges are read from the database by `gauges.py`."""

from prometheus_client import Counter, Gauge, Histogram

published = Counter("outbox_published", "Outbox rows acknowledged by Kafka.")
ingested = Counter("ingest_records", "Records taken in, by what became of them.", ["topic", "fate"])
handled = Counter("lane_messages", "Messages handled, by outcome.", ["group", "outcome"])
handling_seconds = Histogram("lane_handling_seconds", "Time from claim to finish of a message.", ["group"])
timers = Counter("timers_rung", "Timers that were due and became messages.")
swept = Counter("lane_swept", "Idle lanes found with ready messages; in a correct kit it stays 0.")
lost_lanes = Counter("lane_lost", "Attempts whose lane was claimed by another worker before they finished.", ["group"])
effects = Counter("effect_outcomes", "Calls to the outside world, by outcome.", ["kind", "outcome"])
incarnations = Counter("incarnations_opened", "New lives begun because the database was taken up from a copy.")

outbox_rows = Gauge("outbox_rows", "Rows waiting in the outbox.")
outbox_age_seconds = Gauge("outbox_oldest_age_seconds", "Age of the oldest row in the outbox.")
lanes = Gauge("lanes", "Lanes by state.", ["group", "state"])
inbox_rows = Gauge("inbox_rows", "Messages received and not yet handled, by state.", ["group", "state"])
quarantined = Gauge("quarantine_rows", "Records that were not understood.")
parked_keys = Gauge("parked_keys", "Outbox keys that the broker refuses.")
held_rows = Gauge("held_rows", "Records that wait for an earlier one of their stream.")
held_age_seconds = Gauge("held_oldest_age_seconds", "Age of the oldest record that waits for an earlier one.")
passed_rows = Gauge("passed_rows", "Records of types that this version does not know.")
effects_open = Gauge("effects_unfinished", "Effects without a clear outcome, by state.", ["state"])
ingest_lag = Gauge("ingest_lag_records", "Records on the topic that are not yet taken in.", ["topic", "partition"])
relay_refuses = Gauge("relay_refuses", "1 while the relay publishes nothing because its topics know more than it.")
breakers_open = Gauge("breaker_open", "1 while a connection that mostly fails is left alone.", ["group", "connection"])
ingest_held_back = Gauge("ingest_held_back", "1 while ingest waits for the workers.", ["topic"])
late = Counter("ingest_late", "Records that an older version had to pass over, handled by this one.")
snapshot_age_seconds = Gauge(
    "database_snapshot_oldest_age_seconds", "Age of the oldest snapshot that anybody looks at."
)
missing_topics = Gauge("relay_missing_topics", "Topics that the outbox has records for and the broker does not have.")
