#!/usr/bin/env bash
# Stands for the scripts of the official image that the project calls.
set -euo pipefail
case "$(basename "$0")" in
  kafka-broker-api-versions.sh) class=org.apache.kafka.tools.BrokerApiVersionsCommand ;;
  kafka-topics.sh) class=org.apache.kafka.tools.TopicCommand ;;
esac
exec java -Xmx128m -cp '/opt/kafka/libs/*' "$class" "$@"
