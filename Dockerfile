# One image for every service; the command chooses which: `services.orders.app`, `shared.ops topics create`, …
FROM python:3.13-slim AS packages
WORKDIR /build
COPY locks/runtime.txt ./
RUN python -m venv /app/venv \
 && /app/venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes -r runtime.txt

FROM packages AS mailbox-packages
COPY locks/dev.txt ./
RUN awk '/^[a-z]/ { keep = /^(aiosmtpd|atpublic|attrs)==/ } keep' dev.txt > mailbox.txt \
 && /app/venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes -r mailbox.txt

FROM python:3.13-slim AS base
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin app
ENV PATH=/app/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
ENTRYPOINT ["python", "-m"]

FROM base AS mailbox
COPY --from=mailbox-packages /app/venv /app/venv
COPY deploy/__init__.py deploy/
COPY deploy/local/__init__.py deploy/local/
COPY deploy/local/mailbox deploy/local/mailbox
RUN install -d -o app -g app /mails
USER app
CMD ["deploy.local.mailbox", "--folder", "/mails", "--host", "0.0.0.0"]

FROM base AS services
COPY --from=packages /app/venv /app/venv
COPY shared shared
COPY services services
RUN python -m compileall -q shared services && install -d -o app -g app /files
USER app
CMD ["shared.ops", "--help"]
