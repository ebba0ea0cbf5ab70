# The image of winback: one binary on distroless, without a shell, as uid 65532.
#   docker build -t winback:0.1.0 .

# The compiler of rust-toolchain.toml: change both together.
FROM rust:1.95.0-slim-bookworm AS build

# g++ and make build librdkafka; perl configures OpenSSL, which is linked statically. Debian drops old versions from its
# mirrors, so pinned ones would break this file within weeks; nothing of them but libc is in the final image.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ make perl \
 && rm -rf /var/lib/apt/lists/*

# Static: the final image has no OpenSSL of its own.
ENV OPENSSL_NO_VENDOR=0

WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --locked --release -p winback \
 && install -D -m 0755 target/release/winback /out/winback \
 && install -d -m 0755 /out/state/mail /out/state/campaigns

FROM gcr.io/distroless/cc-debian12:nonroot

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="winback" \
      org.opencontainers.image.description="Wins carts and customers back: events from Kafka, campaigns from files, messages that stop when the customer buys" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="gcr.io/distroless/cc-debian12:nonroot"

COPY --from=build /out/winback /usr/local/bin/winback
# Where `campaigns` and `dispatch.folder` of the default config are; a volume mounted on mail takes over its owner.
COPY --from=build --chown=65532:65532 /out/state /var/lib/winback

USER 65532:65532
WORKDIR /var/lib/winback
EXPOSE 9464
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/winback"]
CMD ["--help"]
