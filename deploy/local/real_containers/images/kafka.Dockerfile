FROM ordersystem-stand-in/debian:trixie
RUN mkdir -p /usr/share/man/man1 \
 && apt-get update \
 && apt-get install -y --no-install-recommends openjdk-21-jre-headless \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 1000 --user-group --no-create-home appuser \
 && install -d -o appuser -g appuser /opt/kafka/config /var/lib/kafka/data /mnt/shared/config /etc/kafka/secrets
COPY jars /opt/kafka/libs
COPY --chmod=755 kafka-tool.sh /opt/kafka/bin/kafka-broker-api-versions.sh
COPY --chmod=755 kafka-tool.sh /opt/kafka/bin/kafka-topics.sh
COPY --chmod=755 kafka-run.sh /etc/kafka/docker/run
COPY kafka-log4j2.yaml /etc/kafka/docker/log4j2.yaml
COPY kafka-log4j2.yaml /etc/kafka/docker/tools-log4j2.yaml
VOLUME ["/etc/kafka/secrets", "/var/lib/kafka/data", "/mnt/shared/config"]
USER appuser
EXPOSE 9092
CMD ["/etc/kafka/docker/run"]
