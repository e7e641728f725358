# One image for every service; the command chooses which: `services.orders.app`, `shared.ops topics create`, …
FROM python:3.13-slim AS packages
WORKDIR /build
COPY locks/runtime.txt ./
RUN python -m venv /app/venv \
 && /app/venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes -r runtime.txt

FROM packages AS outside-packages
COPY locks/dev.txt ./
RUN awk '/^[a-z]/ { keep = /^(aiosmtpd|atpublic|attrs)==/ } keep' dev.txt > outside.txt \
 && /app/venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes -r outside.txt

FROM python:3.13-slim AS base
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin app
ENV PATH=/app/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
ENTRYPOINT ["python", "-m"]

# What stands in for others on a machine of one's own: a mailbox, a payment provider, a carrier, an ERP.
FROM base AS outside
COPY --from=outside-packages /app/venv /app/venv
COPY deploy/__init__.py deploy/
COPY deploy/local/__init__.py deploy/local/
COPY deploy/local/mailbox deploy/local/mailbox
COPY deploy/local/sandbox deploy/local/sandbox
RUN install -d -o app -g app /mails /companies
USER app

FROM base AS services
COPY --from=packages /app/venv /app/venv
COPY shared shared
COPY services services
RUN python -m compileall -q shared services && install -d -o app -g app /files
USER app
CMD ["shared.ops", "--help"]
